public import Dramatiq

/// Where credentials come from: ``S3Credentials`` themselves, ``S3EnvironmentCredentials``, ``S3WebIdentityCredentials``,
/// ``S3ContainerCredentials``, ``S3InstanceCredentials``, the first of those that has some (``S3DefaultCredentials``), or
/// your own.
public protocol S3CredentialsProvider: Sendable {
    /// The credentials of this moment. Called when there are none yet, before those of the last time end, and when the
    /// server says that they have ended; once for all requests that wait for it.
    ///
    /// - Throws: why there are none. What describes the error becomes a part of errors and logs, so it holds no secret.
    ///   If it is a `TransientError`, the request is tried again.
    func credentials() async throws -> S3Credentials
}

/// Why there are no credentials.
public struct S3CredentialsError: TransientError, Sendable, Hashable, CustomStringConvertible {
    /// For a person to read.
    public let description: String
    public let isTransient: Bool

    /// - Parameters:
    ///   - description: the reason, for a person to read, without a secret.
    ///   - isTransient: whether it may be over soon. Defaults to `false`.
    public init(_ description: String, isTransient: Bool = false) {
        self.description = description
        self.isTransient = isTransient
    }
}
