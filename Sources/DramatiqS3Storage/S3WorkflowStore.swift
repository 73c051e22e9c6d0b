public import AsyncHTTPClient
public import Dramatiq
public import DramatiqWorkflow
public import Logging

/// Keeps what is left of workflows in a bucket of S3, or of a server that speaks its protocol, for `DedupCallbackStorage`.
///
///     DedupCallbackStorage(try S3WorkflowStore(S3Configuration(bucket: "my-app", region: "eu-central-1")))
///
/// The key of a content is ``S3Configuration/prefix`` and its name. Nothing is overwritten by other content. Bytes are
/// sent with their SHA-256, which the server checks, and checked again when they are read, if the server tells it. TLS
/// certificates are verified. Nothing but the server's answers is waited for, and a task that is cancelled gets on at once.
///
/// The credentials need `s3:GetObject` and `s3:PutObject` for the objects, and `s3:ListBucket` for the bucket, without
/// which S3 says of what isn't there that it is not allowed. To remove what ended runs have stored, and to sweep, they need
/// `s3:DeleteObject` besides; without it a lifecycle rule of the bucket removes what is old.
public struct S3WorkflowStore: WorkflowStore {
    /// The longest name of a content, in bytes.
    private static let maxNameLength = 256
    private static let maxPrefixLength = 512

    public let configuration: S3Configuration
    let objects: S3Objects
    private let logger: Logger

    /// - Parameters:
    ///   - configuration: the bucket, and how it is reached.
    ///   - client: sends the requests. It must follow no redirects, and it is yours to shut down. Defaults to one of
    ///     the process's own.
    ///   - logger: is told of requests that are repeated, and of objects whose age could not be renewed.
    /// - Throws: ``S3StoreError`` with the code `invalidConfiguration`. Nothing is sent yet.
    public init(
        _ configuration: S3Configuration,
        client: HTTPClient? = nil,
        logger: Logger = Logger(label: "dramatiq.s3")
    ) throws(S3StoreError) {
        guard configuration.prefix.utf8.count <= Self.maxPrefixLength,
            configuration.prefix.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
            !configuration.prefix.split(separator: "/", omittingEmptySubsequences: false).dropLast()
                .contains(where: { ["", ".", ".."].contains($0) })
        else {
            throw .invalidConfiguration("a prefix is ASCII without empty parts, such as workflows/")
        }
        let retention = configuration.retention
        guard retention.lifetime <= retention.age else {
            throw .invalidConfiguration(
                "the lifecycle rule's days must be at least the lifetime of what is stored, \(retention.lifetime)")
        }
        self.configuration = configuration
        self.logger = logger
        objects = S3Objects(
            S3Client(
                configuration: configuration, endpoint: try S3Endpoint(configuration),
                credentials: CredentialsCache(configuration.credentials), http: client ?? .forS3, logger: logger))
    }

    public var name: String { "s3" }
    /// The bucket of an endpoint, and the prefix in it.
    public var identity: String? { "s3 \(objects.client.endpoint.url)\(configuration.prefix)" }

    /// - Throws: ``S3StoreError``.
    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        let key = try key(of: completionID, "store")
        guard workflow.count <= configuration.maxSize else {
            throw error(
                .tooLarge, "store", key, "It has \(workflow.count) bytes, the limit is \(configuration.maxSize)")
        }
        if let there = try await objects.put(
            key, workflow, isSame: { SameContent.isThere($0, for: workflow, named: completionID) })
        {
            try await renewIfDue(there, key, for: .zero)
        }
        return .string(completionID)
    }

    /// Also gives the object a new date if it is due, so that what is read is kept.
    ///
    /// - Throws: ``S3StoreError``.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        let key = try key(of: completionID, "load", reference)
        let (content, object) = try await objects.get(key)
        do {
            try await renewIfDue(object, key, for: .zero)
        } catch {
            // Whether it works doesn't matter to who has the content.
            try Task.checkCancellation()
            logger.warning(
                "The age of an object in S3 can't be renewed",
                metadata: [
                    "bucket": "\(configuration.bucket)", "key": "\(key)",
                    "reason": "\(PrintableText.escape("\(error)", limit: PrintableText.logLimit))",
                ])
        }
        return content
    }

    /// - Throws: ``S3StoreError``.
    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try await refresh(reference, completionID: completionID, for: .zero)
    }

    /// - Throws: ``S3StoreError``, with the code `cannotBeKept` for a wait that the bucket's lifecycle rule has no time for.
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        let key = try key(of: completionID, "refresh", reference)
        guard let object = try await objects.head(key, "refresh") else {
            throw error(.missing, "refresh", key, "There is no such object")
        }
        try await renewIfDue(object, key, for: wait)
    }

    /// In a bucket with versions it leaves the earlier version, as `sweep(olderThan:isDryRun:)` does.
    ///
    /// - Throws: ``S3StoreError``.
    public func remove(_ reference: JSONValue, completionID: String) async throws {
        try await objects.remove(try key(of: completionID, "remove", reference))
    }

    private func renewIfDue(_ object: S3Object, _ key: String, for wait: Duration) async throws {
        // Without a date it may be due at any time.
        let dates = object.dates ?? Renewal.Dates(modified: 0)
        switch Renewal.decide(dates, now: object.now, wait: wait, configuration.retention) {
        case .nothing: break
        case .copy(let keepUntil): try await objects.renew(key, keepUntil: keepUntil)
        case .impossible(let longest):
            throw error(
                .cannotBeKept, "refresh", key,
                "The bucket's lifecycle rule removes it too early: a message may wait for \(longest / 86_400) days")
        }
    }

    // MARK: Keys

    /// The key of a content, whose name is hostile until checked.
    private func key(
        of name: String,
        _ operation: String,
        _ reference: JSONValue? = nil
    ) throws(S3StoreError) -> String {
        guard let key = key(ofName: name) else {
            throw error(
                .invalidName, operation, "",
                "A name has from 1 to 256 characters of ASCII, none a slash, and the first one no dot")
        }
        if let reference, !(reference.stringValue?.hasSameBytes(as: name) ?? false) {
            throw error(
                .invalidReference, operation, key, "The place must be the content's name")
        }
        return key
    }

    /// The key of a content; `nil` for a name that none has.
    func key(ofName name: String) -> String? {
        Self.isValid(name) ? configuration.prefix + name : nil
    }

    /// The name of the content that has a key; `nil` if it is none of this store's.
    func name(ofKey key: String) -> String? {
        guard key.hasBytePrefix(configuration.prefix) else { return nil }
        let name = String(decoding: key.utf8.dropFirst(configuration.prefix.utf8.count), as: UTF8.self)
        return Self.isValid(name) ? name : nil
    }

    /// Visible characters of ASCII and spaces, but no slash, and no dot first.
    private static func isValid(_ name: String) -> Bool {
        (1...maxNameLength).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: ".")
            && name.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "/") }
    }

    func error(
        _ code: S3StoreError.Code,
        _ operation: String,
        _ key: String,
        _ reason: String
    ) -> S3StoreError {
        S3StoreError(code, operation, bucket: configuration.bucket, key: key, reason)
    }
}
