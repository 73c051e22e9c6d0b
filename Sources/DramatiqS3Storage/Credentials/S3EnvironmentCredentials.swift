import Foundation

/// Credentials from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
public struct S3EnvironmentCredentials: S3CredentialsProvider {
    private let environment: [String: String]?

    /// - Parameter environment: the variables. Defaults to those of the process, read whenever credentials are needed.
    public init(environment: [String: String]? = nil) {
        self.environment = environment
    }

    private var variables: [String: String] { environment ?? ProcessInfo.processInfo.environment }

    /// Whether there are any.
    var areThere: Bool {
        let variables = variables
        return variables.has("AWS_ACCESS_KEY_ID") || variables.has("AWS_SECRET_ACCESS_KEY")
    }

    /// - Throws: ``S3CredentialsError``.
    public func credentials() async throws -> S3Credentials {
        let variables = variables
        guard let id = variables["AWS_ACCESS_KEY_ID"], let secret = variables["AWS_SECRET_ACCESS_KEY"] else {
            throw S3CredentialsError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set")
        }
        let token = variables["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        return try S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
    }
}

extension [String: String] {
    /// Whether a variable is set to something.
    func has(_ name: String) -> Bool { self[name].map { !$0.isEmpty } ?? false }
}
