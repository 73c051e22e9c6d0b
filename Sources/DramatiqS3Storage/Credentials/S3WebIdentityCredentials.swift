public import AsyncHTTPClient
import Foundation

/// The credentials of a role that AWS STS gives for a token of somebody it trusts, as for the service account of a pod on
/// EKS: `AWS_ROLE_ARN` for the token in the file of `AWS_WEB_IDENTITY_TOKEN_FILE`, which is read anew each time.
///
/// STS is asked in the region of `AWS_REGION` or `AWS_DEFAULT_REGION`, or at the address of `AWS_ENDPOINT_URL_STS` or
/// `AWS_ENDPOINT_URL`, which has TLS or is on this machine. `AWS_ROLE_SESSION_NAME` is what AWS's logs call who has the
/// credentials; `dramatiq-workflow` unless it is set. They are good for an hour.
/// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
public struct S3WebIdentityCredentials: S3CredentialsProvider {
    private static let name = "AWS STS"
    private static let tokenVariable = "AWS_WEB_IDENTITY_TOKEN_FILE"
    private static let action = "AssumeRoleWithWebIdentity"
    private static let timeout = Duration.seconds(5)
    /// What it may say of a request that it refuses, and whether the same one may work soon.
    private static let refusals = [
        "AccessDenied": false, "ExpiredTokenException": false, "IDPCommunicationError": true,
        "IDPRejectedClaim": false, "InvalidIdentityToken": false, "RegionDisabledException": false,
        "Throttling": true, "ValidationError": false,
    ]

    private let environment: [String: String]?
    private let client: HTTPClient?

    /// - Parameters:
    ///   - environment: the variables. Defaults to those of the process, read whenever credentials are needed.
    ///   - client: asks STS. Defaults to one of the process's own, which follows no redirect.
    public init(environment: [String: String]? = nil, client: HTTPClient? = nil) {
        self.environment = environment
        self.client = client
    }

    private var variables: [String: String] { environment ?? ProcessInfo.processInfo.environment }

    /// Whether there is a token.
    var isThere: Bool { variables.has(Self.tokenVariable) }

    /// - Throws: ``S3CredentialsError``.
    public func credentials() async throws -> S3Credentials {
        let variables = variables
        guard let path = variables[Self.tokenVariable], let role = variables["AWS_ROLE_ARN"], !path.isEmpty,
            !role.isEmpty
        else {
            throw S3CredentialsError("\(Self.tokenVariable) and AWS_ROLE_ARN are not both set")
        }
        let url = try Self.url(variables)
        let session = variables["AWS_ROLE_SESSION_NAME"] ?? ""
        let fields = [
            ("Action", Self.action), ("Version", "2011-06-15"), ("RoleArn", role),
            ("RoleSessionName", session.isEmpty ? "dramatiq-workflow" : session),
            ("WebIdentityToken", try await PlatformToken.read(path, of: Self.tokenVariable)),
        ]
        // In the body, since addresses are written into logs.
        let body = try await CredentialsService(client: client, name: Self.name, timeout: Self.timeout).ask(
            "POST", url, headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: Array(fields.map { "\($0)=\(URIEncoding.encode($1))" }.joined(separator: "&").utf8),
            refusal: Self.refusal)
        guard let answer = try? XMLElement(parsing: body), answer.name == Self.action + "Response",
            let credentials = answer.child(Self.action + "Result")?.child("Credentials"),
            let id = credentials["AccessKeyId"], let secret = credentials["SecretAccessKey"],
            let token = credentials["SessionToken"], let expiration = credentials["Expiration"]
        else {
            throw S3CredentialsError("The answer of \(Self.name) holds no credentials")
        }
        return try S3Credentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: token, expiration: expiration, from: Self.name)
    }

    private static func refusal(_ body: [UInt8]) -> S3CredentialsError? {
        guard let answer = try? XMLElement(parsing: body), let code = answer.child("Error")?["Code"],
            let isTransient = refusals[code]
        else { return nil }
        return S3CredentialsError("\(name) refuses the token for the role: \(code)", isTransient: isTransient)
    }

    private static func url(_ variables: [String: String]) throws(S3CredentialsError) -> String {
        func first(_ names: String...) -> String? { names.lazy.compactMap { variables[$0] }.first { !$0.isEmpty } }
        guard let text = first("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL") else {
            guard let region = first("AWS_REGION", "AWS_DEFAULT_REGION") else { return "https://sts.amazonaws.com/" }
            guard region.utf8.count <= 64,
                region.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") })
            else { throw S3CredentialsError("The region is none") }
            return "https://sts.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")/"
        }
        guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty, url.query == nil,
            url.fragment == nil, url.user == nil, url.path.isEmpty || url.path == "/",
            url.scheme == "https" || (url.scheme == "http" && CredentialsService.isThisMachine(host))
        else {
            throw S3CredentialsError("The endpoint of \(name) is no URL of https, nor of http on this machine")
        }
        return text.hasSuffix("/") ? text : text + "/"
    }
}
