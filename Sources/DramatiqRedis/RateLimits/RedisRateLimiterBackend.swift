public import Dramatiq

/// Keeps rate limits and barriers in Redis, under the keys that Python's `RedisBackend` uses.
///
/// Every operation is one command or one script. On the same client as a ``RedisTransport``, the barriers of workflows
/// are settled in one step with the messages.
///
/// Keys live for a time between a millisecond and a century; one that is given otherwise is the nearest of these.
///
/// Taking and giving back a place are repeated for 5 s if their answer is lost or there is no connection: a key of its
/// own, which begins with `<key>@`, tells for a minute what became of it.
///
/// On a Redis Cluster, barriers that are not on a ``RedisTransport``'s client need a namespace with a tag. Keys of rate
/// limits may lie anywhere, but those of a `WindowRateLimiter` are used together: give its key a tag, as in
/// `"{billing}"`.
public struct RedisRateLimiterBackend: NotifyingBackend, StateStore {
    /// For how long something is repeated.
    private static let patience = Duration.seconds(5)
    private static let holderTTL = 60_000

    let executor: any RedisExecutor
    /// The namespace's tag, such as `{dramatiq}`: the ids of barriers that nothing else decides about begin with it.
    public let barrierKeyPrefix: String

    /// - Parameters:
    ///   - executor: the client, usually a `RedisClient`.
    ///   - namespace: only its tag counts: barriers lie in that slot of a cluster. The transport's decides if it has one.
    public init(_ executor: any RedisExecutor, namespace: String = "") {
        self.executor = executor
        barrierKeyPrefix = KeySlot.tag(of: namespace)
    }

    public func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool {
        try await !executor.execute(RedisCommand("SET", key, value, "PX", ttl.redisMilliseconds, "NX")).isNull
    }

    public func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool {
        try await executor.evaluate(
            RateLimitScripts.add, keys: [key], amount, ttl.redisMilliseconds, "", maximum
        ).boolean()
    }

    public func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool {
        guard amount != .min else { throw RateLimitError.invalidArgument("An amount of \(amount) is too small") }
        return try await executor.evaluate(
            RateLimitScripts.add, keys: [key], -amount, ttl.redisMilliseconds, minimum, ""
        ).boolean()
    }

    public nonisolated(nonsending) func incrAndSum(
        _ key: String,
        keys: @Sendable () -> [String],
        amount: Int,
        maximum: Int,
        ttl: Duration
    ) async throws -> Bool {
        try await executor.evaluate(
            RateLimitScripts.add, keys: [key] + keys(), amount, ttl.redisMilliseconds, "", maximum
        ).boolean()
    }

    public func acquire(_ key: String, limit: Int, holder: String, ttl: Duration) async throws -> Bool {
        let command = RedisCommand(
            RateLimitScripts.acquire, keys: [key, Self.holderKey(key, holder)], limit, ttl.redisMilliseconds,
            Self.holderTTL)
        // Without a server nothing was taken, and whoever asks may know better what to do.
        return try await repeating(unlessRefused: false) { try await executor.execute(command).boolean() }
    }

    public func release(_ key: String, holder: String, ttl: Duration) async throws {
        let command = RedisCommand(
            RateLimitScripts.release, keys: [key, Self.holderKey(key, holder)], ttl.redisMilliseconds, Self.holderTTL)
        _ = try await repeating(unlessRefused: true) { try await executor.execute(command) }
    }

    /// Lies in the same slot of a cluster as the key.
    private static func holderKey(_ key: String, _ holder: String) -> String {
        KeySlot.tag(of: key).isEmpty ? "\(key)@\(holder){\(key)}" : "\(key)@\(holder)"
    }

    /// Does what can be repeated, again if nobody knows whether it was done.
    ///
    /// - Parameter unlessRefused: whether also if it surely was not, since there is no connection.
    private func repeating<Value>(
        unlessRefused: Bool,
        _ step: () async throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + Self.patience
        var isBegun = unlessRefused
        var pause = Duration.milliseconds(20)
        while true {
            do {
                return try await step()
            } catch let error as RedisError where error.isTransient {
                isBegun = isBegun || error.mayHaveTakenEffect
                guard isBegun, ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(500))
            }
        }
    }

    /// Waits for a notification on a key, which others that wait for it get as well.
    ///
    /// - Returns: `false` if the time ran out or the task was cancelled.
    /// - Throws: ``RedisError``.
    public func wait(_ key: String, timeout: Duration) async throws -> Bool {
        guard timeout > .zero else { return false }
        // To Redis no time at all means for ever.
        let timeout = timeout.boundedForRedis(atLeast: .milliseconds(1))
        let seconds = Double(timeout.milliseconds) / 1000
        do {
            let command = RedisCommand("BRPOPLPUSH", key, key, seconds)
            return try await executor.block(command, timeout: timeout) == .string("x")
        } catch is CancellationError {
            return false
        }
    }

    public func notify(_ key: String, ttl: Duration) async throws {
        _ = try await executor.evaluate(RateLimitScripts.notify, keys: [key], ttl.redisMilliseconds)
    }

    public var identity: StoreIdentity { StoreIdentity(executor) }
    public var atomicity: StateAtomicity { .commit }

    /// Takes a workflow's barrier steps in one script.
    ///
    /// A release is remembered with the party that brought it about, so that repeating a commit whose answer was lost
    /// gives the same answer again.
    ///
    /// - Throws: `BarrierStateLost` if a barrier is missing, `RedisError`.
    public func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
        // By its key a cluster finds the server; the others are of the same slot.
        let barriers =
            [steps.arrival?.barrier].compactMap(\.self) + steps.releases
            + steps.creations.map(\.barrier) + steps.refreshes
        var command = RedisCommand(RateLimitScripts.commit, keys: barriers.prefix(1).map(\.key))
        command.append(steps)
        let result = try await executor.execute(command).string()
        switch result {
        case "committed": return .committed
        case "opened": return .opened
        case "waiting": return .waiting
        case "released": return .alreadyReleased
        default:
            guard result.hasBytePrefix("lost ") else {
                throw RedisError(.unexpectedReply, "Barrier steps came to '\(result)'", mayHaveTakenEffect: true)
            }
            throw BarrierStateLost(key: String(result.dropFirst(5)))
        }
    }

    public func verifyAccess(barrierKeyPrefix: String) async throws {
        try await executor.verify(AccessScripts.barriers, keys: [barrierKeyPrefix + UniqueID.make()])
    }
}
