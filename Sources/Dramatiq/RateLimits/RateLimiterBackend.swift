/// Keeps the counters that rate limiters and barriers share between processes. All operations are atomic.
public protocol RateLimiterBackend: Sendable {
    /// What the keys of barriers begin with, unless the transport says so; empty if that doesn't matter.
    var barrierKeyPrefix: String { get }

    /// Makes sure that barriers can be kept. A worker calls it before it takes anything.
    ///
    /// - Parameter barrierKeyPrefix: what the barriers' keys begin with.
    /// - Throws: as ``Transport/verifyAccess(to:)``.
    func verifyAccess(barrierKeyPrefix: String) async throws

    /// Sets a key unless it exists.
    ///
    /// - Parameter ttl: how long the key lives.
    /// - Returns: whether it was set.
    func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool

    /// Adds to a key, a missing one counting as 0, unless that makes it larger than `maximum`. Renews the ttl.
    ///
    /// - Returns: whether it was done.
    func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool

    /// Subtracts from a key, a missing one counting as 0, unless that makes it smaller than `minimum`. Renews the ttl.
    ///
    /// - Returns: whether it was done.
    func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool

    /// Adds to a key unless that makes the sum of several keys larger than `maximum`. Renews the ttl.
    ///
    /// - Parameter keys: gives the keys to sum up, asked while the operation holds.
    /// - Returns: whether it was done.
    func incrAndSum(
        _ key: String,
        keys: @Sendable () -> [String],
        amount: Int,
        maximum: Int,
        ttl: Duration
    ) async throws -> Bool

    /// Waits for a notification on a key.
    ///
    /// - Returns: `false` if the time ran out or the task was cancelled.
    func wait(_ key: String, timeout: Duration) async throws -> Bool

    /// Notifies those that wait on a key.
    ///
    /// - Parameter ttl: how long the notification is kept, where a backend keeps it for those that come late.
    func notify(_ key: String, ttl: Duration) async throws

    /// Takes a workflow's barrier steps, all or none; see ``BarrierCommit``.
    ///
    /// - Throws: ``BarrierStateLost`` if a barrier is missing.
    func commit(_ steps: BarrierCommit) async throws -> BarrierCommit.Result
}

extension RateLimiterBackend {
    public var barrierKeyPrefix: String { "" }

    public func verifyAccess(barrierKeyPrefix: String) async throws {}
}
