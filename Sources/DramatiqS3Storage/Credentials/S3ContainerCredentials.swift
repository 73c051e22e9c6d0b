public import AsyncHTTPClient
import Foundation

/// The credentials of a container's role on ECS or EKS, from the address that the platform puts into
/// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI`, with the token of
/// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` (read anew each time) or `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
///
/// A full address without TLS is followed only to this machine and to the platforms' own addresses, as AWS's kits do:
/// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
public struct S3ContainerCredentials: S3CredentialsProvider {
    private static let platformHost = "169.254.170.2"
    private static let platformHosts: Set<String> = [
        platformHost, "169.254.170.23", "fd00:ec2::23", "[fd00:ec2::23]",
    ]

    private let environment: [String: String]?
    private let client: HTTPClient?

    /// - Parameters:
    ///   - environment: the variables. Defaults to those of the process, read whenever credentials are needed.
    ///   - client: asks the platform. Defaults to one of the process's own, which follows no redirect.
    public init(environment: [String: String]? = nil, client: HTTPClient? = nil) {
        self.environment = environment
        self.client = client
    }

    private var variables: [String: String] { environment ?? ProcessInfo.processInfo.environment }

    /// Whether the platform gave an address.
    var isThere: Bool {
        let variables = variables
        return variables.has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            || variables.has("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    }

    /// - Throws: ``S3CredentialsError``.
    public func credentials() async throws -> S3Credentials {
        let variables = variables
        let url = try Self.url(variables)
        var headers: [(String, String)] = []
        if let token = try await Self.token(variables) { headers.append(("Authorization", token)) }
        let body = try await CredentialsService(client: client, name: "the container's credentials")
            .ask("GET", url, headers: headers)
        return try S3Credentials(metadata: body, from: "the container's credentials")
    }

    private static func url(_ variables: [String: String]) throws(S3CredentialsError) -> String {
        if let path = variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], !path.isEmpty {
            guard path.hasPrefix("/"), URL(string: path) != nil else {
                throw S3CredentialsError("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path")
            }
            return "http://\(platformHost)\(path)"
        }
        guard let text = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"], !text.isEmpty else {
            throw S3CredentialsError("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and …_FULL_URI are not set")
        }
        guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty,
            url.scheme == "https" || url.scheme == "http"
        else {
            throw S3CredentialsError("AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL of http or https")
        }
        guard url.scheme == "https" || platformHosts.contains(host) || CredentialsService.isThisMachine(host) else {
            throw S3CredentialsError(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI has neither TLS nor an address of this machine or of the platform")
        }
        return text
    }

    private static func token(_ variables: [String: String]) async throws -> String? {
        let name = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        if let path = variables[name + "_FILE"], !path.isEmpty {
            return try await PlatformToken.read(path, of: name + "_FILE")
        }
        guard let token = variables[name], !token.isEmpty else { return nil }
        return try PlatformToken.check(token, of: name)
    }
}
