public import Dramatiq

/// Keeps rate limits and barriers in Redis, under the keys that Python's `RedisBackend` uses.
///
/// Every operation is one command or one script. On the same client as a ``RedisTransport``, the barriers of workflows
/// are settled in one step with the messages.
public struct RedisRateLimiterBackend: RateLimiterBackend {
    let executor: any RedisExecutor

    /// - Parameter executor: the client, usually a `RedisClient`.
    public init(_ executor: any RedisExecutor) {
        self.executor = executor
    }

    public func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool {
        try await !executor.execute(RedisCommand("SET", key, value, "PX", Self.milliseconds(ttl), "NX")).isNull
    }

    public func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool {
        try await executor.evaluate(
            RateLimitScripts.add, keys: [key], amount, Self.milliseconds(ttl), "", maximum
        ).boolean()
    }

    public func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool {
        guard amount != .min else { throw RateLimitError.invalidArgument("An amount of \(amount) is too small") }
        return try await executor.evaluate(
            RateLimitScripts.add, keys: [key], -amount, Self.milliseconds(ttl), minimum, ""
        ).boolean()
    }

    public func incrAndSum(
        _ key: String,
        keys: @Sendable () -> [String],
        amount: Int,
        maximum: Int,
        ttl: Duration
    ) async throws -> Bool {
        try await executor.evaluate(
            RateLimitScripts.add, keys: [key] + keys(), amount, Self.milliseconds(ttl), "", maximum
        ).boolean()
    }

    /// Waits for a notification on a key, which others that wait for it get as well.
    ///
    /// - Returns: `false` if the time ran out or the task was cancelled.
    public func wait(_ key: String, timeout: Duration) async throws -> Bool {
        guard timeout > .zero else { return false }
        // To Redis no time at all means for ever.
        let seconds = max(0.001, Double(timeout.milliseconds) / 1000)
        do {
            let command = RedisCommand("BRPOPLPUSH", key, key, seconds)
            return try await executor.block(command, timeout: timeout) == .string("x")
        } catch is CancellationError {
            return false
        }
    }

    public func notify(_ key: String, ttl: Duration) async throws {
        _ = try await executor.evaluate(RateLimitScripts.notify, keys: [key], Self.milliseconds(ttl))
    }

    /// Takes a workflow's barrier steps in one script.
    ///
    /// A release is remembered with the party that brought it about, so that repeating a commit whose answer was lost
    /// gives the same answer again.
    ///
    /// - Throws: `BarrierStateLost` if a barrier is missing, `RedisError`.
    public func commit(_ steps: BarrierCommit) async throws -> BarrierCommit.Result {
        var command = RedisCommand(RateLimitScripts.commit, keys: [])
        command.append(steps)
        let result = try await executor.execute(command).string()
        switch result {
        case "committed": return .committed
        case "opened": return .opened
        case "waiting": return .waiting
        case "released": return .alreadyReleased
        default:
            guard result.hasPrefix("lost ") else {
                throw RedisError(.unexpectedReply, "Barrier steps came to '\(result)'", mayHaveTakenEffect: true)
            }
            throw BarrierStateLost(key: String(result.dropFirst(5)))
        }
    }

    private static func milliseconds(_ ttl: Duration) -> Int { max(1, ttl.milliseconds) }
}
