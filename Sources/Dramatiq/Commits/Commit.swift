import Synchronization

/// What one step does to messages and to barriers. It holds as a whole or not at all.
///
/// A message ends in one commit: its acknowledgement, what is sent because of it, and what it means for the barriers of
/// its workflow. Starting a workflow is one, too, and so is sending messages. Middleware add to the commit of a message
/// while it is processed; nothing is sent before a ``Transport`` has it.
public struct Commit: Sendable {
    /// What becomes of a delivery.
    ///
    /// There will be no other: each is something that every transport must be able to do.
    public enum Outcome: Sendable, Hashable {
        /// It is done.
        case acknowledge
        /// It becomes a dead letter.
        case reject(reason: String)
        /// It goes back to its queue, as if it had not been taken.
        case requeue
    }

    /// A delivery that ends, and how.
    public struct End: Sendable {
        public var delivery: Delivery
        public var outcome: Outcome

        public init(_ delivery: Delivery, _ outcome: Outcome) {
            self.delivery = delivery
            self.outcome = outcome
        }
    }

    /// What it is recognised by when it is handed over again.
    public let id: CommitID
    /// Whether it was handed over before and may hold: the answer got lost.
    public var isRepeated = false
    /// The delivery that ends; `nil` if something is sent for another reason.
    public var end: End?
    /// Messages to send whatever becomes of the barriers: a retry, callbacks.
    public var sends: Envelopes
    /// Messages to send only if ``state`` is committed: a workflow's next step.
    public var successors: Envelopes
    /// What happens to a workflow's barriers.
    public var state: StateCommit?
    /// The message's result. It is kept with the end of the delivery, also if the barrier is not complete yet, and not before:
    /// neither if a barrier has opened nor if the delivery is another worker's by now. Only a transport that includes its
    /// backend gets one.
    public var result: ResultCommit?
    /// Who takes the first successor along with the answer, if the successors are sent and nothing waits before it. A
    /// transport that can't do that ignores it.
    public var relay: (any TransportConsumer)?

    public init(
        end: End? = nil,
        sends: Envelopes = [],
        successors: Envelopes = [],
        state: StateCommit? = nil
    ) {
        id = CommitID()
        self.end = end
        self.sends = sends
        self.successors = successors
        self.state = state
    }

    /// The end of a delivery, from which nothing else follows.
    public init(_ outcome: Outcome, _ delivery: Delivery) {
        self.init(end: End(delivery, outcome))
    }
}

/// What a transport recognises a commit by. No other commit of this process has it.
public struct CommitID: Sendable, Hashable {
    private static let latest = Atomic<UInt64>(0)

    public let value: UInt64

    public init() {
        value = Self.latest.wrappingAdd(1, ordering: .relaxed).newValue
    }
}

extension Commit {
    /// Whether a delivery ends and nothing else happens.
    package var isBare: Bool { hasOnlyResult && result == nil }

    /// Whether nothing happens but that a delivery ends and its result is kept.
    private var hasOnlyResult: Bool { sends.isEmpty && successors.isEmpty && state == nil }

    /// Whether a delivery is acknowledged and nothing else happens but that its result is kept.
    package var isPlainAcknowledgement: Bool {
        guard hasOnlyResult, case .acknowledge? = end?.outcome else { return false }
        return true
    }

    /// Who arrives at which barrier, if a delivery is acknowledged, that arrival releases nothing, and nothing else
    /// happens but that its result is kept and a run counts the party as a task that is done.
    package var plainArrival: StateCommit.Arrival? {
        guard case .acknowledge? = end?.outcome, sends.isEmpty, successors.isEmpty, let state,
            let arrival = state.arrival, !arrival.releases, arrival.added == 0, state.releases.isEmpty,
            state.creations.isEmpty,
            state.refreshes.isEmpty, state.run?.isPlainSuccess(of: arrival.party) ?? true
        else { return nil }
        return arrival
    }
}

/// What became of a ``Commit``.
public struct CommitResult: Sendable {
    /// How far a commit came.
    ///
    /// There will be no other: these are all ways in which the arrival at a barrier can turn out.
    public enum Status: Sendable, Hashable {
        /// All of it holds.
        case committed
        /// The arrival is recorded and was the last one; nothing else was done. The delivery is still held: commit again
        /// with the release and what follows from it.
        case opened
        /// The end and the sends hold, without the successors and the creations: the barrier is not complete yet, or was
        /// released before.
        case notReleased
    }

    public var status: Status
    /// The first successor, if the commit's ``Commit/relay`` has taken it.
    public var relayed: Delivery?

    public init(_ status: Status, relayed: Delivery? = nil) {
        self.status = status
        self.relayed = relayed
    }
}
