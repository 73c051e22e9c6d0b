public import AsyncHTTPClient
import Foundation

/// The credentials of a machine's role on EC2, from its metadata service in version 2 (IMDSv2):
/// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
///
/// `AWS_EC2_METADATA_SERVICE_ENDPOINT` names another address, `AWS_EC2_METADATA_DISABLED=true` keeps it from being asked.
public struct S3InstanceCredentials: S3CredentialsProvider {
    private static let name = "the machine's metadata service"
    private static let roles = "/latest/meta-data/iam/security-credentials/"

    private let environment: [String: String]?
    private let client: HTTPClient?

    /// - Parameters:
    ///   - environment: the variables. Defaults to those of the process, read whenever credentials are needed.
    ///   - client: asks the service. Defaults to one of the process's own, which follows no redirect.
    public init(environment: [String: String]? = nil, client: HTTPClient? = nil) {
        self.environment = environment
        self.client = client
    }

    /// - Throws: ``S3CredentialsError``.
    public func credentials() async throws -> S3Credentials {
        let variables = environment ?? ProcessInfo.processInfo.environment
        guard variables["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else {
            throw S3CredentialsError("AWS_EC2_METADATA_DISABLED keeps the machine's credentials from being asked for")
        }
        var endpoint = variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? ""
        if endpoint.isEmpty { endpoint = "http://169.254.169.254" }
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        let service = CredentialsService(client: client, name: Self.name)
        let token = try text(
            try await service.ask(
                "PUT", endpoint + "/latest/api/token", headers: [("X-aws-ec2-metadata-token-ttl-seconds", "300")]))
        let headers = [("X-aws-ec2-metadata-token", token)]
        let role = try text(try await service.ask("GET", endpoint + Self.roles, headers: headers))
        let body = try await service.ask(
            "GET", endpoint + Self.roles + URIEncoding.encode(role), headers: headers)
        return try S3Credentials(metadata: body, from: Self.name)
    }

    /// The first line of an answer, which becomes a part of the next request.
    private func text(_ body: [UInt8]) throws(S3CredentialsError) -> String {
        let line = body.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard !line.isEmpty, line.count <= 1024, line.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw S3CredentialsError("The answer of \(Self.name) can't be read")
        }
        return String(decoding: line, as: UTF8.self)
    }
}
