public import Dramatiq
public import DramatiqWorkflow

/// Keeps what remains of workflows in Redis, for `DedupCallbackStorage`: once for each run.
///
///     DedupCallbackStorage(RedisWorkflowStore(redis))
///
/// The key is made of the content's name, which is all that messages carry. Each content is one key and needs no other, so
/// on a cluster the namespace may do without a tag: contents are then spread over all servers.
public struct RedisWorkflowStore: WorkflowStore {
    /// 16 days: longer than a barrier's life and the longest wait in a queue together. Where messages wait for longer, the
    /// store is told.
    public static let defaultTTL: Duration = .seconds(16 * 86_400)
    /// Sees to it that `KEYS[1]` lives for `ARGV[1]` milliseconds at least, and answers whether it is there.
    private static let keep = RedisScript(
        """
        local left = redis.call('PTTL', KEYS[1])
        if left == -2 then return 0 end
        if left >= 0 and left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
        return 1
        """)
    /// Sets `KEYS[1]` to `ARGV[1]`, to live for `ARGV[2]` milliseconds at least: who stores a content again doesn't shorten
    /// its life.
    private static let put = RedisScript(
        """
        local left = redis.call('PTTL', KEYS[1])
        if left == -1 then
            redis.call('SET', KEYS[1], ARGV[1])
        else
            redis.call('SET', KEYS[1], ARGV[1], 'PX', string.format('%.0f', math.max(left, tonumber(ARGV[2]))))
        end
        return 1
        """)
    /// The longest completion id, in bytes.
    private static let maxIDLength = 256

    /// What the keys begin with.
    public let namespace: String
    /// How long a remaining workflow is kept after it was last stored or loaded.
    public let ttl: Duration
    let executor: any RedisExecutor

    /// - Parameters:
    ///   - executor: the client, usually a `RedisClient`.
    ///   - namespace: what the keys begin with. Defaults to `dramatiq`.
    ///   - ttl: how long a remaining workflow is kept after it was last stored or loaded: from a millisecond to a
    ///     century. Defaults to ``defaultTTL``.
    public init(
        _ executor: any RedisExecutor,
        namespace: String = "dramatiq",
        ttl: Duration = RedisWorkflowStore.defaultTTL
    ) {
        self.executor = executor
        self.namespace = namespace
        self.ttl = ttl.boundedForRedis(atLeast: .milliseconds(1))
    }

    public var name: String { "redis" }
    public var identity: String? {
        "redis \(UInt(bitPattern: ObjectIdentifier(executor).hashValue)) \(namespace)"
    }

    /// - Throws: ``RedisStoreError/Code/invalidCompletionID``, `RedisError`.
    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        guard Self.isValid(completionID) else { throw RedisStoreError.invalidCompletionID }
        _ = try await executor.evaluate(Self.put, keys: [key(completionID)], workflow, ttl.redisMilliseconds)
        return .string(completionID)
    }

    /// - Throws: ``RedisStoreError``, `RedisError`.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        try check(reference, completionID)
        let replies = try await executor.pipeline([
            RedisCommand(Self.keep, keys: [key(completionID)], ttl.redisMilliseconds),
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
        try await refresh(reference, completionID: completionID, for: .zero)
    }

    /// - Throws: ``RedisStoreError``, `RedisError`.
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try check(reference, completionID)
        let life = wait.boundedForRedis() + ttl
        let isThere = try await executor.evaluate(Self.keep, keys: [key(completionID)], life.redisMilliseconds)
        guard try isThere.boolean() else { throw RedisStoreError.notFound(completionID: completionID) }
    }

    /// - Throws: ``RedisStoreError``, `RedisError`.
    public func remove(_ reference: JSONValue, completionID: String) async throws {
        try check(reference, completionID)
        _ = try await executor.execute(RedisCommand("UNLINK", key(completionID)))
    }

    private func check(_ reference: JSONValue, _ completionID: String) throws(RedisStoreError) {
        guard Self.isValid(completionID), reference.stringValue == completionID else { throw .invalidReference }
    }

    /// What the keys of all workflows begin with.
    var keyPrefix: String { "\(namespace):__workflows__." }

    func key(_ completionID: String) -> String { keyPrefix + completionID }

    static func isValid(_ completionID: String) -> Bool {
        !completionID.isEmpty && completionID.utf8.count <= maxIDLength
    }
}

extension RedisWorkflowStore: KeyedWorkflowStore {
    /// On the same client; on a cluster, which barriers have a tag for, in the slot of that.
    package func key(of name: String, in place: StoreIdentity, beside key: String) -> String? {
        let tag = KeySlot.tag(of: key)
        guard StoreIdentity(executor) == place, tag.isEmpty || KeySlot.tag(of: keyPrefix).hasSameBytes(as: tag) else {
            return nil
        }
        return self.key(name)
    }
}
