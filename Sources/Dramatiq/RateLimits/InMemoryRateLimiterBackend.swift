import Synchronization

/// Keeps rate limits, barriers and runs in this process's memory.
public final class InMemoryRateLimiterBackend: NotifyingBackend, StateStore, RunStore {
    fileprivate struct Entry {
        var value: Int
        var expiry: Moment
        /// For a barrier: who has come, so that the same party coming again changes nothing.
        var arrivals: Set<TextKey> = []
        var isComplete = false
    }

    fileprivate final class Waiter: Sendable {
        let signal = Signal()
        let isNotified = Mutex(false)
    }

    fileprivate struct State {
        var entries: [TextKey: Entry] = [:]
        var released = ReleasedBarriers()
        var runs = InMemoryRuns()
        var groups = InMemoryGroups()
        var waiters: [TextKey: [Waiter]] = [:]
        /// When expired entries are looked for next, in entries.
        var sweepThreshold = 1024
    }

    private let state = Mutex(State())
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
        let waiter = Waiter()
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

extension InMemoryRateLimiterBackend.State {
    func value(_ key: TextKey, _ now: Moment) -> Int? {
        guard let entry = entries[key], entry.expiry > now else { return nil }
        return entry.value
    }

    mutating func set(_ key: TextKey, _ value: Int, _ now: Moment, _ ttl: Duration) {
        entries[key, default: InMemoryRateLimiterBackend.Entry(value: value, expiry: now)].renew(value, now, ttl)
        if entries.count > sweepThreshold { sweep(now) }
    }

    /// Drops what has expired. The threshold grows with what is alive, so the cost per entry stays constant.
    private mutating func sweep(_ now: Moment) {
        entries = entries.filter { $0.value.expiry > now }
        groups.keep { entries[$0] != nil }
        sweepThreshold = max(1024, entries.count * 2)
    }

    /// - Returns: what it came to, and whether a party has arrived that had before.
    mutating func apply(
        _ steps: StateCommit,
        _ now: Moment
    ) throws(BarrierStateLost) -> (StateCommit.Result, isRepeated: Bool) {
        for barrier in steps.releases {
            if try find(barrier, now) == nil { return (.alreadyReleased, false) }
        }
        var isRepeated = false
        if let arrival = steps.arrival {
            guard let places = try find(arrival.barrier, now) else {
                // What else was to be released was not, or this commit would have ended above.
                for barrier in steps.releases { release(barrier, now) }
                return (.alreadyReleased, false)
            }
            let (isComplete, isNew) = record(arrival, places, now)
            isRepeated = !isNew
            if isComplete, groups.isClosed(TextKey(arrival.barrier.key)) {
                for barrier in steps.releases { release(barrier, now) }
                return (.waiting, isRepeated)
            }
            if isRepeated, arrival.added > 0 { return (.alreadyReleased, true) }
            if isComplete, !arrival.releases { return (.opened, isRepeated) }
            if !isComplete, arrival.releases {
                for barrier in steps.releases { release(barrier, now) }
                return (.waiting, isRepeated)
            }
            if isComplete { release(arrival.barrier, now) }
        }
        for barrier in steps.releases { release(barrier, now) }
        for creation in steps.creations { create(creation, now) }
        for barrier in steps.refreshes { refresh(barrier, now) }
        return (.committed, isRepeated)
    }

    /// What steps come to that are about groups which lose members; `nil` if they can be taken.
    fileprivate func verdict(
        _ failures: [RunStep.GroupFailure],
        _ now: Moment
    ) throws(BarrierStateLost) -> StateCommit.Result? {
        for failure in failures {
            guard let places = try find(failure.barrier, now) else { return .alreadyReleased }
            if let decider = failure.decider {
                if groups.isDecided(TextKey(failure.barrier.key), besidesBy: decider) { return .alreadyReleased }
            } else if let member = failure.member {
                let entry = entries.values[places.count]
                let hasCome = groups.hasFailed(TextKey(member.party), at: TextKey(failure.barrier.key))
                if entry.isComplete || entry.value <= 1 && !hasCome { return .opened }
            }
        }
        return nil
    }

    /// Notes that groups have lost members.
    private mutating func apply(_ failures: [RunStep.GroupFailure], _ now: Moment) {
        for (index, failure) in failures.enumerated() {
            let key = TextKey(failure.barrier.key)
            guard let places = try? find(failure.barrier, now) else { continue }
            if let member = failure.member {
                let (party, cause) = (TextKey(member.party), TextKey(member.cause))
                if groups.note(party, cause, at: key), !entries.values[places.count].isComplete {
                    let arrival = StateCommit.Arrival(barrier: failure.barrier, party: member.party, releases: false)
                    _ = record(arrival, places, now)
                }
                if party != cause, entries[party] != nil { groups.close(party) }
            }
            if let decider = failure.decider {
                let outer = index + 1 < failures.count ? TextKey(failures[index + 1].barrier.key) : nil
                groups.decide(key, decider, outer: outer)
            }
        }
    }

    /// Takes back that groups have lost members because of messages.
    fileprivate mutating func takeBackFailures(of messageIDs: [String], in id: String, _ now: Moment) {
        for (messageID, keys) in runs.groups(ofFailures: messageIDs, in: id) {
            for key in keys { takeBackFailure(at: TextKey(key), TextKey(messageID), now) }
        }
    }

    /// - Parameter hasCome: whether the party that it was is known to have come, so that it doesn't have to come again.
    private mutating func takeBackFailure(at key: TextKey, _ cause: TextKey, hasCome: Bool = false, _ now: Moment) {
        var (key, cause, hasCome) = (key, cause, hasCome)
        while let party = groups.takeBack(cause, at: key) {
            if !hasCome, let entry = entries[key], entry.expiry > now { entries[key]?.takeBack(party) }
            guard let outer = groups.takeBackDecision(at: key) else { return }
            (key, cause, hasCome) = (outer, key, false)
        }
    }

    /// Does what the steps mean for their run. They were taken before.
    fileprivate mutating func note(
        _ run: RunStep,
        _ steps: StateCommit,
        _ result: StateCommit.Result,
        _ now: Moment
    ) {
        var released = steps.releases
        if let arrival = steps.arrival, arrival.releases { released.append(arrival.barrier) }
        if result != .alreadyReleased { apply(run.groupFailures, now) }
        runs.apply(run, opened: steps.creations, released: released, isCommitted: result == .committed, now)
    }

    private mutating func refresh(_ barrier: BarrierKey, _ now: Moment) {
        guard let places = try? find(barrier, now) else { return }
        runs.keep(barrier.key, until: now + barrier.ttl, now)
        entries.values[places.count].keep(now, barrier.ttl)
        if let release = places.release { entries.values[release].keep(now, barrier.ttl) }
    }

    /// Where a barrier's entries lie, so that each is looked up once.
    private struct Places {
        let count: Dictionary<TextKey, InMemoryRateLimiterBackend.Entry>.Index
        let release: Dictionary<TextKey, InMemoryRateLimiterBackend.Entry>.Index?
    }

    /// Finds a barrier; `nil` if it was released. What counts something else is none: a barrier that opens at most once
    /// has the record of its release beside it.
    private func find(
        _ barrier: BarrierKey,
        _ now: Moment
    ) throws(BarrierStateLost) -> Places? {
        guard let count = entries.index(forKey: TextKey(barrier.key)), entries.values[count].expiry > now else {
            // A release takes the keys away.
            if released.contains(TextKey(barrier.key)) { return nil }
            throw BarrierStateLost(key: barrier.key)
        }
        var release: Dictionary<TextKey, InMemoryRateLimiterBackend.Entry>.Index?
        if let releaseKey = barrier.releaseKey {
            guard let place = entries.index(forKey: TextKey(releaseKey)), entries.values[place].expiry > now else {
                throw BarrierStateLost(key: barrier.key)
            }
            if entries.values[place].value >= 0 { return nil }
            release = place
        }
        guard entries.values[count].value >= 1 else { throw BarrierStateLost(key: barrier.key) }
        return Places(count: count, release: release)
    }

    /// Counts a party that has not come before. Returns whether all have come, and whether it had not.
    private mutating func record(
        _ arrival: StateCommit.Arrival,
        _ places: Places,
        _ now: Moment
    ) -> (isComplete: Bool, isNew: Bool) {
        let outcome = entries.values[places.count].record(arrival, now)
        if arrival.barrier.isOfGroup {
            if outcome.isNew { groups.add(arrival.added, to: TextKey(arrival.barrier.key)) }
            // Its message was requeued, and has succeeded.
            if !outcome.isNew {
                takeBackFailure(at: TextKey(arrival.barrier.key), TextKey(arrival.party), hasCome: true, now)
            }
        }
        if let release = places.release { entries.values[release].keep(now, arrival.barrier.ttl) }
        return outcome
    }

    private mutating func release(_ barrier: BarrierKey, _ now: Moment) {
        guard let releaseKey = barrier.releaseKey else {
            // Not recorded, so a party that comes again may release it again.
            set(TextKey(barrier.key), 1, now, barrier.ttl)
            return
        }
        entries[TextKey(barrier.key)] = nil
        entries[TextKey(releaseKey)] = nil
        groups.remove(TextKey(barrier.key))
        released.insert(TextKey(barrier.key))
    }

    private mutating func create(_ creation: StateCommit.Creation, _ now: Moment) {
        let barrier = creation.barrier
        guard value(TextKey(barrier.key), now) == nil, !released.contains(TextKey(barrier.key)) else { return }
        set(TextKey(barrier.key), creation.parties, now, barrier.ttl)
        if let releaseKey = barrier.releaseKey, value(TextKey(releaseKey), now) == nil {
            set(TextKey(releaseKey), -1, now, barrier.ttl)
        }
    }
}

extension InMemoryRateLimiterBackend.Entry {
    fileprivate mutating func renew(_ value: Int, _ now: Moment, _ ttl: Duration) {
        if expiry <= now {
            arrivals = []
            isComplete = false
        }
        self.value = value
        expiry = now + ttl
    }

    /// A party that has come is to come again.
    fileprivate mutating func takeBack(_ party: TextKey) {
        let isRecorded = arrivals.remove(party) != nil
        // The last one has left the count at 1.
        if isComplete { isComplete = false } else if isRecorded { value += 1 }
    }

    /// Lives on for at least a time, unless it has expired.
    fileprivate mutating func keep(_ now: Moment, _ ttl: Duration) {
        if expiry > now { expiry = max(expiry, now + ttl) }
    }

    /// Counts a party that has not come before. Returns whether all have come, and whether it had not.
    fileprivate mutating func record(
        _ arrival: StateCommit.Arrival,
        _ now: Moment
    ) -> (isComplete: Bool, isNew: Bool) {
        keep(now, arrival.barrier.ttl)
        if isComplete { return (true, false) }
        var isNew = true
        if arrival.added > 0 {
            isNew = arrivals.insert(TextKey(arrival.party)).inserted
            if isNew { value += arrival.added - 1 }
        } else if value <= 1, arrivals.isEmpty {
            // The only party of a chain's step: there is nobody to tell apart.
            isComplete = true
        } else if arrivals.insert(TextKey(arrival.party)).inserted {
            // The last one leaves the count at 1, which is how dramatiq writes "complete".
            if value <= 1 { isComplete = true } else { value -= 1 }
        } else {
            isNew = false
        }
        return (isComplete, isNew)
    }
}

/// Remembers which barriers were released, so that a party that comes once more is told so.
///
/// Two generations of bounded size: a barrier is forgotten after 65 536 others at the earliest. A message that comes
/// again later than that meets ``BarrierStateLost`` and is kept as a dead letter; it can't release anything twice.
private struct ReleasedBarriers {
    private static let generationSize = 65_536
    private var current: Set<TextKey> = []
    private var previous: Set<TextKey> = []

    func contains(_ key: TextKey) -> Bool {
        current.contains(key) || previous.contains(key)
    }

    mutating func insert(_ key: TextKey) {
        if current.count >= Self.generationSize {
            previous = current
            current = []
            current.reserveCapacity(Self.generationSize)
        }
        current.insert(key)
    }
}
