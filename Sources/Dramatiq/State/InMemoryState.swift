import Synchronization

/// What an ``InMemoryRateLimiterBackend`` keeps: what is counted, barriers, and what is known of runs and their groups.
struct InMemoryState {
    struct Entry {
        var value: Int
        var expiry: Moment
        /// For a barrier: who has come, so that the same party coming again changes nothing.
        var arrivals: Set<TextKey> = []
        var isComplete = false
    }

    final class Waiter: Sendable {
        let signal = Signal()
        let isNotified = Mutex(false)
    }

    var entries: [TextKey: Entry] = [:]
    var released = ReleasedBarriers()
    var runs = InMemoryRuns()
    var groups = InMemoryGroups()
    var waiters: [TextKey: [Waiter]] = [:]
    /// When expired entries are looked for next, in entries.
    var sweepThreshold = 1024
}

extension InMemoryState {
    func value(_ key: TextKey, _ now: Moment) -> Int? {
        guard let entry = entries[key], entry.expiry > now else { return nil }
        return entry.value
    }

    mutating func set(_ key: TextKey, _ value: Int, _ now: Moment, _ ttl: Duration) {
        entries[key, default: Entry(value: value, expiry: now)].renew(value, now, ttl)
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
    func verdict(
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
    mutating func takeBackFailures(of messageIDs: [String], in id: String, _ now: Moment) {
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
    mutating func note(
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
        let count: Dictionary<TextKey, Entry>.Index
        let release: Dictionary<TextKey, Entry>.Index?
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
        var release: Dictionary<TextKey, Entry>.Index?
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

extension InMemoryState.Entry {
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
struct ReleasedBarriers {
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
