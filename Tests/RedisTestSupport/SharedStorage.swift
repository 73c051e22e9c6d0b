import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqLZ4
public import DramatiqRedis
import DramatiqS3Storage
public import DramatiqWorkflow
import DramatiqZlib
import TestSupport

/// A storage that workers of both languages use, which stores whatever there is to store, and notes it in Redis.
///
/// Named by a text that `peer.py` reads, too: the kind of storage, `+zlib` or `+lz4` if it compresses, and behind a colon
/// the directory of files or the endpoint of S3. `dedup.file+zlib:/tmp/workflows`. `dedup.tiers` has small contents in
/// Redis and large ones in files.
public struct SharedStorage: Sendable {
    /// The largest content that `dedup.tiers` has in Redis, in bytes.
    private static let limit = 800

    public let text: String
    private let kind: String
    private let codec: String?
    private let place: String

    public init(_ text: String) {
        self.text = text
        let parts = text.split(separator: ":", maxSplits: 1)
        let words = parts[0].split(separator: "+")
        kind = String(words[0])
        codec = words.count > 1 ? String(words[1]) : nil
        place = parts.count > 1 ? String(parts[1]) : ""
    }

    private var compressor: (any Compressor)? {
        switch codec {
        case "zlib": ZlibCompressor()
        case "lz4": LZ4Compressor()
        default: nil
        }
    }

    /// - Parameter role: who uses it, `start` or `work`, for what it notes.
    public func callbackStorage(
        _ redis: any RedisExecutor,
        namespace: String,
        role: String
    ) throws -> any CallbackStorage {
        let files = StorageDirectory(
            place, compressor: compressor, readableCompressors: [ZlibCompressor(), LZ4Compressor()])
        let storage: any CallbackStorage =
            switch kind {
            case "file": FileCallbackStorage(files, inlineLimit: 0)
            case "dedup.file": DedupCallbackStorage(FileWorkflowStore(files), inlineLimit: 0)
            case "dedup.tiers":
                dedup(
                    RedisWorkflowStore(redis, namespace: namespace).tiered(
                        above: Self.limit, to: FileWorkflowStore(files)))
            case "dedup.s3": dedup(try S3WorkflowStore(bucket))
            default: dedup(RedisWorkflowStore(redis, namespace: namespace))
            }
        return NotingStorage(
            base: storage, redis: redis, isStarting: role == "start",
            key: Self.key(namespace: namespace, language: "swift", role: role))
    }

    private var bucket: S3Configuration {
        get throws {
            S3Configuration(
                bucket: "workflows", region: S3Server.region, endpoint: place,
                credentials: try S3Credentials(
                    accessKeyID: S3Server.accessKeyID, secretAccessKey: S3Server.secretAccessKey))
        }
    }

    private func dedup(_ store: some WorkflowStore) -> any CallbackStorage {
        guard let compressor else { return DedupCallbackStorage(store, inlineLimit: 0) }
        return DedupCallbackStorage(
            store.compressed(with: compressor, reading: ZlibCompressor(), LZ4Compressor()), inlineLimit: 0)
    }

    /// The set of the names of contents that a language's starters have stored or its workers have met in messages.
    static func key(namespace: String, language: String, role: String) -> String {
        "\(namespace):names:\(language):\(role)"
    }
}

/// Notes which contents it has stored or was given references to.
private struct NotingStorage: CallbackStorage {
    let base: any CallbackStorage
    let redis: any RedisExecutor
    let isStarting: Bool
    let key: String

    func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        let reference = try await base.store(callbacks)
        if isStarting { try await note(reference) }
        return reference
    }

    func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks {
        let stored = try await base.storeForRun(callbacks)
        if isStarting { try await note(stored.reference) }
        return stored
    }

    func remove(_ contents: [String]) async throws { try await base.remove(contents) }

    func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        if !isStarting { try await note(reference) }
        return try await base.retrieve(reference)
    }

    func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        try await base.refresh(reference, for: wait)
    }

    private func note(_ reference: JSONValue) async throws {
        guard let place = try StorageReference(reading: reference)?.place else { return }
        guard let name = (place.arrayValue?.elements.first ?? place).stringValue else { return }
        _ = try await redis.execute(RedisCommand("SADD", key, name))
    }
}
