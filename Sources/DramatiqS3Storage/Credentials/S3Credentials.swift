public import Foundation

/// Who signs requests. As a provider, the ones that never change.
///
/// Nothing that describes or reflects them shows the secret or the token.
public struct S3Credentials: Sendable, Hashable {
    /// Names the key; no secret.
    public let accessKeyID: String
    let secretAccessKey: String
    let sessionToken: String?
    /// When they end; `nil` for never.
    public let expiration: Date?

    /// - Parameters:
    ///   - accessKeyID: names the key.
    ///   - secretAccessKey: the key.
    ///   - sessionToken: what temporary credentials have besides. Defaults to none.
    ///   - expiration: when they end. Defaults to never.
    /// - Throws: ``S3CredentialsError`` if one of them is empty or has other characters than visible ones of ASCII, as
    ///   after copying a line feed with it.
    public init(
        accessKeyID: String,
        secretAccessKey: String,
        sessionToken: String? = nil,
        expiration: Date? = nil
    ) throws(S3CredentialsError) {
        func check(_ value: String, _ name: String) throws(S3CredentialsError) {
            guard !value.isEmpty, value.utf8.count <= 16_384, value.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else {
                throw S3CredentialsError("The \(name) is empty, or has characters that none has")
            }
        }
        try check(accessKeyID, "access key id")
        try check(secretAccessKey, "secret access key")
        if let sessionToken { try check(sessionToken, "session token") }
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

extension S3Credentials: S3CredentialsProvider {
    public func credentials() async throws -> S3Credentials { self }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "S3Credentials(\(accessKeyID), secret not shown)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["accessKeyID": accessKeyID]) }
}
