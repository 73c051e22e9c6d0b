public import AsyncHTTPClient
import Dramatiq
import Foundation

/// The credentials of a container's role on ECS or EKS, from the address that the platform puts into
/// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI`, with the token of
/// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` (read anew each time) or `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
///
/// A full address without TLS is followed only to this machine and to the platforms' own addresses, as AWS's kits do:
/// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
public struct S3ContainerCredentials: S3CredentialsProvider {
    private static let platformHost = "169.254.170.2"
    private static let trustedHosts: Set<String> = [
        platformHost, "169.254.170.23", "fd00:ec2::23", "[fd00:ec2::23]", "localhost", "::1", "[::1]",
    ]
    private static let maxTokenSize = 16_384

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
        let body = try await MetadataService(client: client, name: "the container's credentials")
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
        guard url.scheme == "https" || trustedHosts.contains(host) || isLoopback(host) else {
            throw S3CredentialsError(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI has neither TLS nor an address of this machine or of the platform")
        }
        return text
    }

    /// Whether it is an address of 127.0.0.0/8, and no name that begins like one.
    private static func isLoopback(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil } && parts[0] == "127"
    }

    private static func token(_ variables: [String: String]) async throws -> String? {
        guard let path = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], !path.isEmpty else {
            guard let token = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"], !token.isEmpty else { return nil }
            return try checked(token)
        }
        let bytes = try await BlockingThreads(count: 1).run { _ throws(S3CredentialsError) in
            do {
                let handle = try FileHandle(forReadingFrom: URL(filePath: path))
                defer { try? handle.close() }
                return try handle.read(upToCount: maxTokenSize + 1) ?? Data()
            } catch {
                throw S3CredentialsError(
                    "The file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE can't be read", isTransient: true)
            }
        }
        return try checked(String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// A token becomes a header, so it must not begin another one.
    private static func checked(_ token: String) throws(S3CredentialsError) -> String {
        guard !token.isEmpty, token.utf8.count <= maxTokenSize, token.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else {
            throw S3CredentialsError("The container's authorization token is empty or can't be sent")
        }
        return token
    }
}
