import Foundation

/// The credentials that a program finds where it runs: those of the environment, of the role for its token (EKS), of its
/// container, or of its machine at AWS, in this order. Which one it is follows from the variables that are set; if it has no credentials, the next one
/// isn't asked.
public struct S3DefaultCredentials: S3CredentialsProvider {
    private let environment: [String: String]?

    /// - Parameter environment: the variables. Defaults to those of the process, read whenever credentials are needed.
    public init(environment: [String: String]? = nil) {
        self.environment = environment
    }

    /// - Throws: ``S3CredentialsError``.
    public func credentials() async throws -> S3Credentials {
        let variables = environment ?? ProcessInfo.processInfo.environment
        let ofEnvironment = S3EnvironmentCredentials(environment: variables)
        if ofEnvironment.areThere { return try await ofEnvironment.credentials() }
        let ofToken = S3WebIdentityCredentials(environment: variables)
        if ofToken.isThere { return try await ofToken.credentials() }
        let ofContainer = S3ContainerCredentials(environment: variables)
        if ofContainer.isThere { return try await ofContainer.credentials() }
        return try await S3InstanceCredentials(environment: variables).credentials()
    }
}
