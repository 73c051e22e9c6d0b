/// Keeps the counters that rate limiters share between processes. All operations are atomic.
public protocol RateLimiterBackend: Sendable {
    /// Sets a key unless it exists.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - value: its first value.
    ///   - ttl: how long the key lives.
    /// - Returns: whether it was set.
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool

    /// Adds to a key, a missing one counting as 0, unless that makes it larger than `maximum`. Renews the ttl.
    ///
    /// - Returns: whether it was done.
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool

    /// Subtracts from a key, a missing one counting as 0, unless that makes it smaller than `minimum`. Renews the ttl.
    ///
    /// - Returns: whether it was done.
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool

    /// Adds to a key unless that makes the sum of several keys larger than `maximum`. Renews the ttl.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - keys: gives the keys to sum up, asked while the operation holds.
    ///   - amount: what is added, more than 0.
    ///   - maximum: the largest sum.
    ///   - ttl: how long the key lives from now on.
    /// - Returns: whether it was done.
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    nonisolated(nonsending) func incrAndSum(
        _ key: String,
        keys: @Sendable () -> [String],
        amount: Int,
        maximum: Int,
        ttl: Duration
    ) async throws -> Bool

    /// Takes one of a number of places: ``add(_:value:ttl:)``, or else ``incr(_:amount:maximum:ttl:)``, unless a backend
    /// does it in one step.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - limit: how many places there are.
    ///   - holder: who takes it. A backend whose answers can get lost tells by it that it is asked again.
    ///   - ttl: when all places become free unless one is taken or given back until then.
    /// - Returns: whether there was one.
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    func acquire(_ key: String, limit: Int, holder: String, ttl: Duration) async throws -> Bool

    /// Gives back the place that a holder took: ``decr(_:amount:minimum:ttl:)``, unless a backend can repeat it.
    ///
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    func release(_ key: String, holder: String, ttl: Duration) async throws
}

extension RateLimiterBackend {
    public func acquire(_ key: String, limit: Int, holder: String, ttl: Duration) async throws -> Bool {
        if try await add(key, value: 1, ttl: ttl) { return true }
        return try await incr(key, amount: 1, maximum: limit, ttl: ttl)
    }

    public func release(_ key: String, holder: String, ttl: Duration) async throws {
        _ = try await decr(key, amount: 1, minimum: 0, ttl: ttl)
    }
}

/// A backend that can wake those who wait for something, in other processes too.
public protocol NotifyingBackend: RateLimiterBackend {
    /// Waits for a notification on a key.
    ///
    /// - Returns: `false` if the time ran out or the task was cancelled.
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    func wait(_ key: String, timeout: Duration) async throws -> Bool

    /// Notifies those that wait on a key.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - ttl: how long the notification is kept, where a backend keeps it for those that come late.
    /// - Throws: if the backend can't be reached or refuses; it may have been done all the same.
    func notify(_ key: String, ttl: Duration) async throws
}
