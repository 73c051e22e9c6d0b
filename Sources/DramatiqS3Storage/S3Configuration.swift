import Dramatiq
import Foundation

/// Where an S3 store keeps what it is given, and how patiently the server is talked to.
///
///     S3Configuration(bucket: "my-app", region: "eu-central-1")
///     S3Configuration(bucket: "my-app", region: "us-east-1", endpoint: "https://minio.internal:9000")
///
/// Works with AWS and with what speaks its protocol: MinIO, Ceph, Cloudflare R2 (region `auto`).
public struct S3Configuration: Sendable {
    /// The largest content unless given: 64 MiB, or a workflow of some 250 000 tasks.
    public static let defaultMaxSize = 64 << 20
    /// Before the names of contents unless given.
    public static let defaultPrefix = "workflows/"

    /// The bucket's name. It must be there.
    public var bucket: String
    /// What the keys of objects begin with, in front of the content's name. Defaults to `workflows/`.
    public var prefix: String
    /// The region that requests are signed for. Defaults to `AWS_REGION` or `AWS_DEFAULT_REGION` of the environment, or
    /// else `us-east-1`.
    public var region: String
    /// The server's URL without the bucket, of `https` or, where nobody listens, `http`. Defaults to
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` of the environment, or else `nil`: AWS in that region.
    public var endpoint: String?
    /// Where in its URLs the bucket stands. Defaults to what fits the endpoint.
    public var addressing: S3Addressing
    /// Signs the requests. Defaults to what the environment, the container or the machine has.
    public var credentials: any S3CredentialsProvider
    /// Has the server encrypt what it stores. Defaults to `nil`: what the bucket does by itself.
    public var encryption: S3Encryption?
    /// For how long what is stored is kept. Defaults to 16 days after it was last needed, and no lifecycle rule.
    public var retention: S3Retention
    /// The largest content to store or load, in bytes. Defaults to 64 MiB.
    public var maxSize: Int
    /// How long an answer may take, its last byte included. Defaults to 10 s.
    public var requestTimeout: Duration
    /// For how long a request is repeated that fails for a reason that may be over soon, all in all. Defaults to 30 s.
    public var patience: Duration
    /// The pause before a request is repeated for the first time. It doubles each time, and between nothing and all of it
    /// is waited, by lot. Defaults to 100 ms.
    public var minBackoff: Duration
    /// The longest pause. Defaults to 5 s.
    public var maxBackoff: Duration
    /// Whether the server has conditional writes (`If-None-Match`), so that of two who store at the same time one finds
    /// what the other has stored. Without them it is looked first whether there is something already. A server that says
    /// that it has none is believed; set this to `false` for one that ignores the condition. Defaults to `true`.
    public var hasConditionalWrites: Bool

    public init(
        bucket: String,
        prefix: String = S3Configuration.defaultPrefix,
        region: String? = nil,
        endpoint: String? = nil,
        addressing: S3Addressing = .automatic,
        credentials: any S3CredentialsProvider = S3DefaultCredentials(),
        encryption: S3Encryption? = nil,
        retention: S3Retention = S3Retention()
    ) {
        let environment = ProcessInfo.processInfo.environment
        self.bucket = bucket
        self.prefix = prefix
        self.region = region ?? environment.first(of: "AWS_REGION", "AWS_DEFAULT_REGION") ?? "us-east-1"
        self.endpoint = endpoint ?? environment.first(of: "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        self.addressing = addressing
        self.credentials = credentials
        self.encryption = encryption
        self.retention = retention
        maxSize = Self.defaultMaxSize
        requestTimeout = .seconds(10)
        patience = .seconds(30)
        minBackoff = .milliseconds(100)
        maxBackoff = .seconds(5)
        hasConditionalWrites = true
    }
}

extension S3Configuration {
    /// Reads `s3://BUCKET/PREFIX?region=…&endpoint=…&addressing=path`, as the command line tool takes it. All but the
    /// bucket may be left out. The prefix is taken as it is: it usually ends with a slash. A URL holds no credentials.
    ///
    /// - Throws: ``S3StoreError`` with the code `invalidConfiguration`.
    public init(url text: String) throws(S3StoreError) {
        func invalid(_ reason: String) -> S3StoreError { .invalidConfiguration(reason) }
        guard let url = URLComponents(string: text), url.scheme == "s3", let bucket = url.host, !bucket.isEmpty else {
            throw invalid("its URL must be like s3://BUCKET/PREFIX?region=…&endpoint=…")
        }
        guard url.user == nil, url.password == nil, url.port == nil, url.fragment == nil else {
            throw invalid("its URL may have a bucket, a prefix and options, and nothing else")
        }
        self.init(bucket: bucket, prefix: url.path.hasPrefix("/") ? String(url.path.dropFirst()) : Self.defaultPrefix)
        if prefix.isEmpty { prefix = Self.defaultPrefix }
        for option in url.queryItems ?? [] {
            switch (option.name, option.value ?? "") {
            case ("region", let value): region = value
            case ("endpoint", let value): endpoint = value
            case ("addressing", "path"): addressing = .path
            case ("addressing", "virtual"): addressing = .virtualHost
            case ("addressing", "auto"): addressing = .automatic
            case ("addressing", _): throw invalid("the addressing is path, virtual or auto")
            default: throw invalid("its URL has the option '\(PrintableText.escape(option.name, limit: 100))'")
            }
        }
    }
}

/// Where in a URL the bucket stands.
public struct S3Addressing: Sendable, Hashable {
    enum Style: Sendable { case automatic, path, virtualHost }

    let style: Style

    /// In front of AWS's host, and in the path of other endpoints.
    public static let automatic = S3Addressing(style: .automatic)
    /// In the path: `https://host/bucket/key`.
    public static let path = S3Addressing(style: .path)
    /// In front of the host: `https://bucket.host/key`.
    public static let virtualHost = S3Addressing(style: .virtualHost)
}

/// How the server encrypts what it stores.
public struct S3Encryption: Sendable, Hashable {
    let headers: [[String]]

    /// With keys of S3's own (SSE-S3, `AES256`).
    public static let managed = S3Encryption(headers: [["x-amz-server-side-encryption", "AES256"]])

    /// With a key of AWS's key management (SSE-KMS, `aws:kms`).
    ///
    /// - Parameter key: the key's id or ARN; `nil` for the account's own for S3.
    public static func kms(key: String? = nil) -> S3Encryption {
        S3Encryption(
            headers: [["x-amz-server-side-encryption", "aws:kms"]]
                + (key.map { [["x-amz-server-side-encryption-aws-kms-key-id", $0]] } ?? []))
    }
}

extension [String: String] {
    /// The first of several variables that is set to something.
    func first(of names: String...) -> String? {
        names.lazy.compactMap { self[$0] }.first { !$0.isEmpty }
    }
}
