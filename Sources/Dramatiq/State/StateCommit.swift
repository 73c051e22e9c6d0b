/// How one barrier is kept in a backend.
public struct BarrierKey: Sendable, Hashable {
    /// The key of the count of parties that are still to come.
    public let key: String
    /// The key that records the release (-1 before, 0 after), for a barrier that opens at most once.
    public let releaseKey: String?
    /// How long the barrier is kept at least from now on. A step never makes that shorter than it was.
    public let ttl: Duration

    /// - Parameters:
    ///   - key: see ``key``.
    ///   - releaseKey: see ``releaseKey``. Defaults to none.
    ///   - ttl: brought into the range from a millisecond to a hundred years, which every server can keep.
    public init(key: String, releaseKey: String? = nil, ttl: Duration) {
        self.key = key
        self.releaseKey = releaseKey
        self.ttl = min(max(.milliseconds(1), ttl), Self.longestTTL)
    }

    /// What the keys end with of barriers that count which of their parties have failed: see ``RunStep/GroupFailure``.
    public static let groupSuffix = ":group"

    var isOfGroup: Bool { key.hasByteSuffix(Self.groupSuffix) }

    private static let longestTTL = Duration.seconds(100 * 365 * 86_400)
}

extension BarrierKey {
    public static func == (left: BarrierKey, right: BarrierKey) -> Bool {
        left.key.hasSameBytes(as: right.key) && left.ttl == right.ttl
            && left.releaseKey.map { TextKey($0) } == right.releaseKey.map { TextKey($0) }
    }

    public func hash(into hasher: inout Hasher) {
        key.hashBytes(into: &hasher)
    }
}

/// Steps on a workflow's barriers that a backend takes together or not at all.
///
/// They are taken in this order: the arrival is recorded, the releases, then the creations and the refreshes are done. An
/// arrival is counted by its party: the same one arriving twice changes nothing.
public struct StateCommit: Sendable {
    /// A barrier to be made.
    public struct Creation: Sendable {
        public var barrier: BarrierKey
        public var parties: Int

        public init(barrier: BarrierKey, parties: Int) {
            self.barrier = barrier
            self.parties = parties
        }
    }

    /// A party that has come.
    public struct Arrival: Sendable {
        public var barrier: BarrierKey
        /// Who: a message's id, or the completion id of a finished group.
        public var party: String
        /// Whether the barrier is released in the same step if this completes it. Otherwise a completed barrier stops
        /// the commit after the arrival, so that the caller can prepare what comes next.
        public var releases: Bool
        /// How many parties the barrier has more from now on, because of this one. They are added before it is counted, so
        /// that it can't be the last one, and only if it has not come before: if it has, the steps come to
        /// ``StateCommit/Result/alreadyReleased`` and nothing is done. Such an arrival releases nothing, and only a store
        /// that the transport ``Transport/includes(_:)-(StateStore)`` gets one.
        public var added: Int

        public init(barrier: BarrierKey, party: String, releases: Bool, added: Int = 0) {
            self.barrier = barrier
            self.party = party
            self.releases = releases
            self.added = added
        }
    }

    /// Where the barriers are kept.
    public var store: any StateStore
    public var arrival: Arrival?
    /// Complete barriers that are released.
    public var releases: [BarrierKey]
    public var creations: [Creation]
    /// Barriers that a message may still arrive at which is sent or put aside in the same step. Each is kept for its
    /// ``BarrierKey/ttl`` from now on, give or take an hour of it, unless it is kept for longer anyway. One that isn't
    /// there stays missing.
    public var refreshes: [BarrierKey]
    /// What it means for the run that the message belongs to. It is done if the steps come to ``Result/committed`` or
    /// ``Result/waiting``, unless the party had arrived before: it was done then. A store without a
    /// ``StateStore/runStore`` leaves it out.
    public var run: RunStep?

    /// Whether the steps end the run that they belong to, if they are committed.
    package var endsRun: Bool {
        guard let run else { return false }
        if run.ended?.failsRun ?? false { return true }
        if let arrival, arrival.releases, arrival.barrier.key.hasSameBytes(as: run.id) { return true }
        return releases.contains { $0.key.hasSameBytes(as: run.id) }
    }

    public init(
        store: any StateStore,
        arrival: Arrival? = nil,
        releases: [BarrierKey] = [],
        creations: [Creation] = [],
        refreshes: [BarrierKey] = [],
        run: RunStep? = nil
    ) {
        self.store = store
        self.arrival = arrival
        self.releases = releases
        self.creations = creations
        self.refreshes = refreshes
        self.run = run
    }

    /// What a commit came to.
    ///
    /// There will be no other: these are all ways in which the arrival at a barrier can turn out.
    public enum Result: Sendable, Hashable {
        /// Everything was done.
        case committed
        /// The arrival completed the barrier and only it was recorded; or the steps would end a run that has callbacks, and
        /// nothing was done: see ``RunStep/decides``.
        case opened
        /// The arrival was recorded and the barrier is not complete; for an arrival that was to release it.
        case waiting
        /// Another commit has released the barrier; nothing was done.
        case alreadyReleased
    }
}

/// A barrier that something arrives at is not there: its time ran out, or the backend lost it.
///
/// It is never taken for a complete one. A message that meets it is kept, tried again and then dead-lettered.
public struct BarrierStateLost: Error, Sendable, Hashable, CustomStringConvertible {
    public let key: String

    public init(key: String) {
        self.key = key
    }

    public var description: String {
        "Barrier \(key) is not in the backend: it expired or was lost, so nobody knows who is still to arrive"
    }
}
