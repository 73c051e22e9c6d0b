import Foundation

/// The credentials that a program finds where it runs: those of the environment, of the role for its token (EKS), of its
/// container, or of its machine at AWS, in this order. Which one it is follows from the variables that are set; if it has no
/// credentials, the next one isn't asked.
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
        do {
            return try await S3InstanceCredentials(environment: variables).credentials()
        } catch let error as S3CredentialsError {
            // Mostly nobody expects the machine to have any.
            throw S3CredentialsError(
                "There are no credentials in the environment (AWS_ACCESS_KEY_ID), for a token "
                    + "(AWS_WEB_IDENTITY_TOKEN_FILE), of a container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI) "
                    + "or of the machine: \(error)", isTransient: error.isTransient)
        }
    }
}
