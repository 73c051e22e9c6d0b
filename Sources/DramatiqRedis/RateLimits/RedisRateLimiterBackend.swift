public import Dramatiq

/// Keeps rate limits and barriers in Redis, under the keys that Python's `RedisBackend` uses.
///
/// Every operation is one command or one script. On the same client as a ``RedisTransport``, the barriers of workflows
/// are settled in one step with the messages.
///
/// Taking and giving back a place are repeated for 5 s if their answer is lost or there is no connection: a key of its
/// own, `<key>@<holder>`, tells for a minute what became of it. On a cluster a limiter's key needs a `{tag}` for that.
public struct RedisRateLimiterBackend: RateLimiterBackend {
    /// For how long something is repeated.
    private static let patience = Duration.seconds(5)
    private static let holderTTL = 60_000

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

    public nonisolated(nonsending) func incrAndSum(
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

    public func acquire(_ key: String, limit: Int, holder: String, ttl: Duration) async throws -> Bool {
        let command = RedisCommand(
            RateLimitScripts.acquire, keys: [key, "\(key)@\(holder)"], limit, Self.milliseconds(ttl), Self.holderTTL)
        // Without a server nothing was taken, and whoever asks may know better what to do.
        return try await repeating(unlessRefused: false) { try await executor.execute(command).boolean() }
    }

    public func release(_ key: String, holder: String, ttl: Duration) async throws {
        let command = RedisCommand(
            RateLimitScripts.release, keys: [key, "\(key)@\(holder)"], Self.milliseconds(ttl), Self.holderTTL)
        _ = try await repeating(unlessRefused: true) { try await executor.execute(command) }
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
