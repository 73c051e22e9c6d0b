import Synchronization

/// Keeps rate limits, barriers and runs in this process's memory.
public final class InMemoryRateLimiterBackend: NotifyingBackend, StateStore, RunStore {
    private let state = Mutex(InMemoryState())
    private let now: @Sendable () -> Moment

    public init() {
        now = { Moment.now }
    }

    /// - Parameter now: the clock by which keys expire, for tests.
    package init(now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.now = { Moment(now()) }
    }

    /// A key's value, or `nil` if it doesn't exist or has expired.
    public func value(forKey key: String) -> Int? {
        let now = now()
        return state.withLock { $0.value(TextKey(key), now) }
    }

    /// How long a key still lives, or `nil` if it doesn't exist or has expired.
    public func ttl(forKey key: String) -> Duration? {
        let now = now()
        return state.withLock { state in
            guard let entry = state.entries[TextKey(key)], entry.expiry > now else { return nil }
            return entry.expiry - now
        }
    }

    /// How many keys there are, expired ones included.
    package var keyCount: Int { state.withLock { $0.entries.count } }

    /// Forgets a key, as a server does that loses its memory.
    package func remove(_ key: String) {
        state.withLock { $0.entries[TextKey(key)] = nil }
    }

    /// Forgets all keys and all releases, in the same way.
    package func removeAll() {
        state.withLock { state in
            state.entries = [:]
            state.released = ReleasedBarriers()
            state.runs.removeAll()
            state.groups = InMemoryGroups()
        }
    }

    public func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool {
        let now = now()
        return state.withLock { state in
            guard state.value(TextKey(key), now) == nil else { return false }
            state.set(TextKey(key), value, now, ttl)
            return true
        }
    }

    public func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool {
        let now = now()
        return state.withLock { state in
            let (value, overflow) = (state.value(TextKey(key), now) ?? 0).addingReportingOverflow(amount)
            guard !overflow, value <= maximum else { return false }
            state.set(TextKey(key), value, now, ttl)
            return true
        }
    }

    public func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool {
        let now = now()
        return state.withLock { state in
            let (value, overflow) = (state.value(TextKey(key), now) ?? 0).subtractingReportingOverflow(amount)
            guard !overflow, value >= minimum else { return false }
            state.set(TextKey(key), value, now, ttl)
            return true
        }
    }

    public nonisolated(nonsending) func incrAndSum(
        _ key: String,
        keys: @Sendable () -> [String],
        amount: Int,
        maximum: Int,
        ttl: Duration
    ) async throws -> Bool {
        let now = now()
        return state.withLock { state in
            let (value, overflow) = (state.value(TextKey(key), now) ?? 0).addingReportingOverflow(amount)
            guard !overflow, value <= maximum else { return false }
            let sum = keys().reduce(amount) { $0 &+ (state.value(TextKey($1), now) ?? 0) }
            guard sum <= maximum else { return false }
            state.set(TextKey(key), value, now, ttl)
            return true
        }
    }

    public func wait(_ key: String, timeout: Duration) async throws -> Bool {
        let waiter = InMemoryState.Waiter()
        let now = now()
        let isNotified = state.withLock { state in
            if state.value(TextKey(key), now) != nil { return true }
            state.waiters[TextKey(key), default: []].append(waiter)
            return false
        }
        if isNotified { return true }
        defer {
            state.withLock { state in
                state.waiters[TextKey(key)]?.removeAll { $0 === waiter }
                if state.waiters[TextKey(key)]?.isEmpty == true { state.waiters[TextKey(key)] = nil }
            }
        }
        await waiter.signal.wait(until: .now + timeout)
        return waiter.isNotified.withLock { $0 }
    }

    public func notify(_ key: String, ttl: Duration) async throws {
        let now = now()
        let waiters = state.withLock { state in
            // For those that have counted already and begin to wait only now.
            state.set(TextKey(key), 1, now, ttl)
            return state.waiters.removeValue(forKey: TextKey(key)) ?? []
        }
        for waiter in waiters {
            waiter.isNotified.withLock { $0 = true }
            waiter.signal.signal()
        }
    }

    // MARK: Barriers

    public var identity: StoreIdentity { StoreIdentity(self) }
    public var atomicity: StateAtomicity { .commit }

    public func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
        try applyNow(steps)
    }

    /// ``apply(_:)`` without a suspension, for a transport in the same memory.
    func applyNow(_ steps: StateCommit) throws(BarrierStateLost) -> StateCommit.Result {
        let now = now()
        return try state.withLock { state throws(BarrierStateLost) in
            if let run = steps.run {
                if !state.runs.canTake(run, now) { return .alreadyReleased }
                if let verdict = state.runs.verdict(steps, now) {
                    if verdict == .alreadyReleased { state.note(run, steps, verdict, now) }
                    return verdict
                }
                if let verdict = try state.verdict(run.groupFailures, now) {
                    if verdict == .alreadyReleased { state.note(run, steps, verdict, now) }
                    return verdict
                }
            }
            let (result, isRepeated) = try state.apply(steps, now)
            // What has come before was counted then.
            if let run = steps.run, !isRepeated, result == .committed || result == .waiting {
                state.note(run, steps, result, now)
            }
            return result
        }
    }

    // MARK: Runs

    public var runStore: (any RunStore)? { self }

    public func run(_ id: String, index: String, limit: Int) async throws -> RunStatus? {
        let now = now()
        return state.withLock { state in
            state.runs.record(id, limit: limit, now) { state.value($0, now) ?? 0 }
        }
    }

    public func runs(_ query: RunQuery) async throws -> RunPage {
        let now = now()
        return state.withLock { $0.runs.page(query, now) }
    }

    public func isOver(_ id: String) async throws -> Bool {
        let now = now()
        return state.withLock { $0.runs.isOver(id, now) ?? $0.released.contains(TextKey(id)) }
    }

    public func takeContents(of ids: [String]) async throws -> [String] {
        state.withLock { $0.runs.takeContents(of: ids) }
    }

    public func change(_ id: String, _ transition: RunTransition, index: String) async throws -> RunChange? {
        let now = now()
        return state.withLock { state in
            state.runs.change(id, transition, barrierExpiry: state.entries[TextKey(id)]?.expiry, now)
        }
    }

    public func stoppedRuns(
        since version: Int?, worker: String, announces: Bool, index: String
    ) async throws -> StoppedRuns {
        let now = now()
        return state.withLock {
            $0.runs.stoppedRuns(since: version, worker: worker, announces: announces, now)
        }
    }

    public func forget(worker: String, index: String) async throws {
        state.withLock { $0.runs.forget(worker: worker) }
    }

    public func versions(index: String) async throws -> [String: Int] {
        let now = now()
        return state.withLock { $0.runs.versions(now) }
    }

    public func hold(_ message: HeldMessage, of id: String, index: String) async throws -> HoldOutcome {
        let now = now()
        return state.withLock { state in
            let outcome = state.runs.hold(message, of: id, barrierExpiry: state.entries[TextKey(id)]?.expiry, now)
            if outcome == .revived { state.takeBackFailures(of: [message.messageID], in: id, now) }
            return outcome
        }
    }

    public func heldMessages(of id: String, limit: Int) async throws -> [HeldMessage] {
        state.withLock { $0.runs.heldMessages(of: id, limit: limit) }
    }

    public func callbacks(of id: String, group: Int?) async throws -> RunCallbacks {
        let now = now()
        return state.withLock { $0.runs.callbacks(of: id, group: group, now) }
    }

    public func failedMembers(at barrier: String, with party: String?) async throws -> FailedMembers {
        state.withLock { $0.groups.failedMembers(at: TextKey(barrier), with: party.map { TextKey($0) }) }
    }

    public func takeBackFailures(of messageIDs: [String], in id: String) async throws {
        let now = now()
        state.withLock { $0.takeBackFailures(of: messageIDs, in: id, now) }
    }

    public func failures(
        of id: String, from position: String?, limit: Int
    ) async throws -> (failures: [RunStatus.Failure], next: String?) {
        let place = position.flatMap { Int($0) } ?? 0
        let (failures, next) = state.withLock { $0.runs.failures(of: id, from: max(0, place), limit: limit) }
        return (failures, next.map { "\($0)" })
    }
}
