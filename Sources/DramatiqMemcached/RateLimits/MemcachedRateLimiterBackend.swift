public import Dramatiq

/// Keeps rate limits and barriers in Memcached, under the keys that Python's `MemcachedBackend` uses.
///
///     let backend = MemcachedRateLimiterBackend(memcached)
///     WorkflowMiddleware(backend: backend)
///
/// Memcached changes one key at a time, and so do the steps at barriers (`StateAtomicity.key`). It forgets: what was
/// evicted, or lost with a server, shows as `BarrierStateLost` and never as a barrier that has opened. Nobody can wait for
/// something in it, so it is no `NotifyingBackend`, and a `Barrier` can't be made over it.
///
/// Times are whole seconds, rounded up, and one at least. A barrier takes up to 1 048 575 parties.
///
/// Python's backend counts also what it refuses, so a `ConcurrentRateLimiter` of Python's that was refused leaves one place
/// less until the key's time is over; this one changes nothing then. If the answer to taking or giving back a place is
/// lost, the place may stay taken for as long.
public struct MemcachedRateLimiterBackend: RateLimiterBackend, StateStore {
    private let client: MemcachedClient

    public init(_ client: MemcachedClient) {
        self.client = client
    }

    // MARK: Counters

    public func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool {
        try await client.add(key, Entry(value), Expiry(ttl))
    }

    public func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool {
        try await change(key, ttl) { value in
            let (sum, overflow) = value.addingReportingOverflow(amount)
            return overflow || sum > maximum ? nil : sum
        }
    }

    public func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool {
        try await change(key, ttl) { value in
            let (difference, overflow) = value.subtractingReportingOverflow(amount)
            return overflow || difference < minimum ? nil : difference
        }
    }

    /// As Python does, the other keys are read after the first one, and it is written if it has not changed since.
    ///
    /// - Throws: ``MemcachedError``; `RateLimitError.Code.foreignValue` if a key holds no number.
    public nonisolated(nonsending) func incrAndSum(
        _ key: String,
        keys: @Sendable () -> [String],
        amount: Int,
        maximum: Int,
        ttl: Duration
    ) async throws -> Bool {
        try await change(key, ttl) { value in
            let (increased, overflow) = value.addingReportingOverflow(amount)
            guard !overflow, increased <= maximum else { return nil }
            let keys = keys()
            var sum = amount
            for (other, known) in zip(keys, try await client.entries(keys)) {
                let (next, overflow) = sum.addingReportingOverflow(try known?.entry.number(other) ?? 0)
                guard !overflow else { return nil }
                sum = next
            }
            return sum > maximum ? nil : increased
        }
    }

    /// Changes a number, a missing one counting as 0.
    ///
    /// - Parameter change: gives the new number; `nil` if it is not to be changed. Called again if others came between.
    private nonisolated(nonsending) func change(
        _ key: String,
        _ ttl: Duration,
        _ change: nonisolated(nonsending) (Int) async throws -> Int?
    ) async throws -> Bool {
        var contention = Contention()
        while true {
            let known = try await client.entry(key)
            guard let value = try await change(known?.entry.number(key) ?? 0) else { return false }
            if try await client.replace(key, known, Entry(value), Expiry(ttl)) { return true }
            try await contention.pause()
        }
    }

    // MARK: Barriers

    public var identity: StoreIdentity { StoreIdentity(client) }
    public var atomicity: StateAtomicity { .key }

    /// Makes sure that all servers are there.
    ///
    /// - Throws: ``MemcachedError``, also for a prefix that no key can begin with.
    public func verifyAccess(barrierKeyPrefix: String) async throws {
        let longestSuffix = "_arrived.256.255"
        try MetaCommand.get(barrierKeyPrefix + UniqueID.make() + longestSuffix).check()
        try await client.verifyServers()
    }

    /// Takes a workflow's barrier steps, one after the other.
    ///
    /// - Throws: `BarrierStateLost` if a barrier is missing, `RateLimitError` for too many parties, ``MemcachedError``.
    public func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
        for barrier in steps.releases {
            if try await !MemcachedBarrier(client: client, barrier: barrier).release() { return .alreadyReleased }
        }
        if let arrival = steps.arrival {
            let barrier = MemcachedBarrier(client: client, barrier: arrival.barrier)
            switch try await barrier.arrive(arrival.party) {
            case .released: return .alreadyReleased
            case .waiting where arrival.releases: return .waiting
            case .waiting: break
            case .complete:
                guard arrival.releases else { return .opened }
                guard try await barrier.release() else { return .alreadyReleased }
            }
        }
        for creation in steps.creations {
            try await MemcachedBarrier(client: client, barrier: creation.barrier).create(parties: creation.parties)
        }
        for barrier in steps.refreshes { try await MemcachedBarrier(client: client, barrier: barrier).refresh() }
        return .committed
    }
}
