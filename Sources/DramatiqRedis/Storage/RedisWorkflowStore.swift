public import Dramatiq
public import DramatiqWorkflow

/// Keeps what remains of workflows in Redis, for `DedupCallbackStorage`: once for each barrier after which it runs.
///
///     DedupCallbackStorage(RedisWorkflowStore(redis))
///
/// The place that a message carries is the barrier's id. It is hostile until checked: it is only followed if it is that
/// of the barrier that it came with.
public struct RedisWorkflowStore: WorkflowStore {
    /// 15 days: longer than a barrier, the longest delay and the time for which dead letters are kept together.
    public static let defaultTTL: Duration = .seconds(15 * 86_400)
    /// The longest completion id, in bytes.
    private static let maximumIDLength = 256

    /// What the keys begin with.
    public let namespace: String
    /// How long a remaining workflow is kept after it was last stored or loaded.
    public let ttl: Duration
    private let executor: any RedisExecutor

    /// - Parameters:
    ///   - executor: the client, usually a `RedisClient`.
    ///   - ttl: how long a remaining workflow is kept after it was last stored or loaded.
    public init(
        _ executor: any RedisExecutor,
        namespace: String = "dramatiq",
        ttl: Duration = RedisWorkflowStore.defaultTTL
    ) {
        self.executor = executor
        self.namespace = namespace
        self.ttl = max(.milliseconds(1), ttl)
    }

    public var name: String { "redis" }

    /// - Throws: ``RedisStoreError/invalidCompletionID``, `RedisError`.
    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        guard Self.isValid(completionID) else { throw RedisStoreError.invalidCompletionID }
        _ = try await executor.execute(RedisCommand("SET", key(completionID), workflow, "PX", ttl.milliseconds))
        return .string(completionID)
    }

    /// - Throws: ``RedisStoreError``, `RedisError`.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        try check(reference, completionID)
        let replies = try await executor.pipeline([
            RedisCommand("PEXPIRE", key(completionID), ttl.milliseconds),
            RedisCommand("GET", key(completionID)),
        ])
        guard replies.count == 2 else {
            throw RedisError(.unexpectedReply, "2 commands were answered with \(replies.count) results")
        }
        let workflow = try replies[1].get()
        guard !workflow.isNull else { throw RedisStoreError.notFound(completionID: completionID) }
        return try workflow.bytes()
    }

    /// - Throws: ``RedisStoreError``, `RedisError`.
    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try check(reference, completionID)
        let isThere = try await executor.execute(RedisCommand("PEXPIRE", key(completionID), ttl.milliseconds))
        guard try isThere.boolean() else { throw RedisStoreError.notFound(completionID: completionID) }
    }

    private func check(_ reference: JSONValue, _ completionID: String) throws(RedisStoreError) {
        guard Self.isValid(completionID), reference.stringValue == completionID else { throw .invalidReference }
    }

    private func key(_ completionID: String) -> String { "\(namespace):__workflows__.\(completionID)" }

    private static func isValid(_ completionID: String) -> Bool {
        !completionID.isEmpty && completionID.utf8.count <= maximumIDLength
    }
}

/// Why a remaining workflow can't be stored or had.
public enum RedisStoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A completion id that is empty or very long.
    case invalidCompletionID
    /// What a message carries for the workflow is not what this store gave out for it.
    case invalidReference
    /// It was never stored here, or its time ran out.
    case notFound(completionID: String)

    public var description: String {
        switch self {
        case .invalidCompletionID:
            "A completion id must have from 1 to 256 bytes"
        case .invalidReference:
            "The place of a remaining workflow must be the id of the barrier that it came with"
        case .notFound(let completionID):
            "What remains of the workflow after barrier \(completionID) is not in Redis"
        }
    }
}
