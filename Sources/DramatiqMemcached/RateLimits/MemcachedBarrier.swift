import Dramatiq

/// One workflow's barrier in Memcached.
///
/// | key | holds |
/// |-|-|
/// | `<id>` | the ``BarrierCount``: parties left, down to 0 |
/// | `<id>_ran` | 2⁶⁴ - 1 until the barrier is released, 0 or more after |
/// | `<id>_arrived.<lists>.<place>` | ours: names of parties that have come; in the flags how many |
///
/// Python counts an arrival by decrementing `<id>`. Ours puts its name into the list that the name's hash tells, unless it
/// is there, and then counts what is listed: the counter's flags say how many names were counted before, and change with
/// the parties left in one step. So an arrival that is repeated, whatever it has come to the first time, changes nothing,
/// a crash between the two steps is made up for by the next arrival, and what Python counts in between is never mistaken
/// for one of these.
///
/// There are never more names than parties that have come, so nothing that the server forgets opens a barrier. All keys
/// are made with the barrier, or by the first arrival of ours at a barrier of Python's, so one that was forgotten is
/// missed. A barrier for one party has no lists.
///
/// Python's own `_ran` begins with -1, to which Memcached can't add, so that its `AtMostOnceBarrier` never opens. To
/// 2⁶⁴ - 1 it can add one, and comes to 0. There has to be a zero byte behind the digits: of so large a number Memcached
/// looks for a minus sign as far as the next one, also in what is left there of other items.
struct MemcachedBarrier {
    enum Arrival {
        case waiting
        case complete
        case released
    }

    private static let unreleased = Entry(number: "\(UInt64.max)\0")
    /// How long a released barrier is remembered at most: 15 minutes, for which Python keeps one.
    private static let releasedTTL = Duration.seconds(900)

    let client: MemcachedClient
    let barrier: BarrierKey

    private var lost: BarrierStateLost { BarrierStateLost(key: barrier.key) }
    private var expiry: Expiry { Expiry(barrier.ttl) }

    /// The barrier as it was read.
    private struct State {
        let isReleased: Bool
        let known: KnownEntry
        var count: BarrierCount
    }

    // MARK: Steps

    func create(parties: Int) async throws {
        let count = try BarrierCount(parties: parties)
        // What is there stays as it is: a list that was forgotten is not made again.
        if count.lists > 0, try await client.entry(barrier.key) != nil { return }
        let release = barrier.releaseKey.map { MetaCommand.add($0, Self.unreleased, expiry) }
        let lists = keys(ofLists: count.lists).map { MetaCommand.add($0, ArrivalList().entry, expiry) }
        // The counter last, when the others are known to be there: they may be on other servers, and whoever repeats this
        // takes the counter for all of it.
        let others = [release].compactMap(\.self) + lists
        if !others.isEmpty { try await done(others) }
        try await done([.add(barrier.key, count.entry, expiry)])
    }

    /// Counts a party that has not come before.
    func arrive(_ name: String) async throws -> Arrival {
        var contention = Contention()
        var isNew = false
        while true {
            let state = try await state()
            if state.isReleased { return .released }
            if state.count.lists == 0 {
                if state.count.left <= 1 {
                    // The only party, or the last one after others without names.
                    if isDue(state.known) { try await keep(lists: 0) }
                    return .complete
                }
                try await makeLists(state)
            } else if let arrival = try await count(ArrivalList.word(name), state, &isNew) {
                return arrival
            }
            try await contention.pause()
        }
    }

    /// Records the release. Returns `false` if it was recorded before.
    func release() async throws -> Bool {
        guard let releaseKey = barrier.releaseKey else { return true }
        let expiry = Expiry(min(barrier.ttl, Self.releasedTTL))
        var contention = Contention()
        while true {
            let entries = try await client.entries([releaseKey, barrier.key])
            guard let known = entries[0], known.entry.isReleaseRecord else { throw lost }
            guard Self.isUnreleased(known.entry) else { return false }
            if try await client.replace(releaseKey, known, Entry(0), expiry) {
                // All that matters is recorded; the rest would only take memory until its time is over.
                let lists = entries[1].flatMap { try? BarrierCount($0.entry, barrier.key).lists } ?? 0
                _ = try? await client.execute(
                    keys(ofLists: lists).map(MetaCommand.delete) + [.touch(barrier.key, expiry)])
                return true
            }
            try await contention.pause()
        }
    }

    /// Keeps the barrier for its time from now on, if it is there.
    func refresh() async throws {
        guard let state = try await stateIfKnown(), !state.isReleased, isDue(state.known) else { return }
        try await keep(lists: state.count.lists)
    }

    // MARK: State

    private func state() async throws -> State {
        guard let state = try await stateIfKnown() else { throw lost }
        return state
    }

    private func stateIfKnown() async throws -> State? {
        let entries = try await client.entries([barrier.releaseKey, barrier.key].compactMap(\.self))
        guard let first = entries.first ?? nil, let last = entries.last ?? nil, last.entry.isMarkedNumber else {
            return nil
        }
        if barrier.releaseKey != nil, !first.entry.isReleaseRecord { return nil }
        return State(
            isReleased: barrier.releaseKey != nil && !Self.isUnreleased(first.entry), known: last,
            count: try BarrierCount(last.entry, barrier.key))
    }

    private static func isUnreleased(_ entry: Entry) -> Bool {
        entry.digits == unreleased.digits || entry.digits.hasPrefix("-")
    }

    // MARK: Arrivals

    private func keys(ofLists count: Int) -> [String] {
        // With their number: should it ever be another one, no name is found in two of them.
        (0..<count).map { "\(barrier.key)_arrived.\(count).\($0)" }
    }

    /// Makes lists for a barrier of Python's, and says at last that they are there.
    private func makeLists(_ state: State) async throws {
        let lists = BarrierCount.lists(for: state.count.left)
        try await done(keys(ofLists: lists).map { .add($0, ArrivalList().entry, expiry) })
        let count = try BarrierCount(parties: state.count.left, lists: lists)
        _ = try await client.replace(barrier.key, state.known, count.entry, state.known.expiry)
    }

    /// Lists a party, and counts what is listed and not counted.
    ///
    /// - Parameters:
    ///   - state: read before the lists are, so that they have at least the names that it has counted.
    ///   - isNew: becomes `true` when the party is listed.
    /// - Returns: `nil` if others came between.
    private func count(_ party: String, _ state: State, _ isNew: inout Bool) async throws -> Arrival? {
        let keys = keys(ofLists: state.count.lists)
        let place = ServerHash.place(of: party, among: keys.count)
        let replies = try await client.execute(keys.enumerated().map { $0 == place ? .get($1) : .look($1) })
        var listed = 0
        for (index, reply) in replies.enumerated() {
            guard let known = try reply.entry() else {
                // With a release the lists go.
                guard try await self.state().isReleased else { throw lost }
                return .released
            }
            var list = ArrivalList(known.entry)
            if index == place, list.insert(party) {
                guard try await client.replace(keys[index], known, list.entry, known.expiry) else { return nil }
                isNew = true
            }
            listed += list.count
        }
        var count = state.count
        guard (count.counted...BarrierCount.maxParties).contains(listed) else { throw lost }
        count.left = max(0, count.left - (listed - count.counted))
        count.counted = listed
        let isDue = isDue(state.known)
        if isDue { try await keep(lists: keys.count) }
        if count != state.count {
            let expiry = isDue ? expiry : state.known.expiry
            guard try await client.replace(barrier.key, state.known, count.entry, expiry) else { return nil }
        } else if isNew {
            // Another one has counted it, and goes on if it was the last one; should it fail, it comes again.
            return .waiting
        }
        return count.left <= 0 ? .complete : .waiting
    }

    // MARK: Lifetimes

    /// Whether what is left of a time is less than it should be by more than a sixteenth or an hour.
    private func isDue(_ known: KnownEntry) -> Bool {
        guard let left = known.expiry.seconds, let wanted = expiry.seconds else {
            return known.expiry.seconds != nil
        }
        return left < wanted - min(wanted / 16, 3600)
    }

    /// The counter comes last: by its time the next one sees whether all were kept.
    private func keep(lists: Int) async throws {
        let others = [barrier.releaseKey].compactMap(\.self) + keys(ofLists: lists)
        try await done(others.map { .touch($0, expiry) })
        try await done([.touch(barrier.key, expiry)])
    }

    private func done(_ commands: [MetaCommand]) async throws {
        for reply in try await client.execute(commands) { _ = try reply.isDone() }
    }
}
