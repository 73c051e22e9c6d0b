/// Everything that finishing one delivery means, committed in one step.
///
/// Middleware add to it while a message is processed; nothing is sent before the worker hands it to the transport.
public struct Settlement: Sendable {
    /// What becomes of the delivery itself.
    public enum Outcome: Sendable, Hashable {
        /// It is done.
        case acknowledge
        /// It becomes a dead letter.
        case reject(reason: String)
        /// It goes back to its queue, as if it had not been taken.
        case requeue
    }

    public var outcome: Outcome
    /// Messages to send whatever becomes of the barriers: a retry, callbacks.
    public var enqueues: [Envelope]
    /// Messages to send only if ``barriers`` are committed: a workflow's next step.
    public var successors: [Envelope]
    /// What happens to a workflow's barriers.
    public var barriers: BarrierCommit?

    public init(
        outcome: Outcome = .acknowledge,
        enqueues: [Envelope] = [],
        successors: [Envelope] = [],
        barriers: BarrierCommit? = nil
    ) {
        self.outcome = outcome
        self.enqueues = enqueues
        self.successors = successors
        self.barriers = barriers
    }
}

extension Settlement {
    /// Whether the delivery is acknowledged, and nothing else follows.
    package var isPlainAcknowledgement: Bool {
        outcome == .acknowledge && enqueues.isEmpty && successors.isEmpty && barriers == nil
    }

    /// Who arrives at which barrier, if the delivery is acknowledged, that arrival releases nothing, and nothing else
    /// follows.
    package var plainArrival: BarrierCommit.Arrival? {
        guard outcome == .acknowledge, enqueues.isEmpty, successors.isEmpty, let barriers,
            let arrival = barriers.arrival, !arrival.releases, barriers.releases.isEmpty, barriers.creations.isEmpty
        else { return nil }
        return arrival
    }
}

/// What a transport did with a ``Settlement``.
public enum SettlementResult: Sendable, Hashable {
    /// All of it holds.
    case committed
    /// The arrival is recorded and was the last one; nothing else was done. The delivery is still held: settle it again
    /// with the release and what follows from it.
    case barrierOpened
    /// The outcome and the enqueues hold, without the successors and the creations: the barrier is not complete yet, or
    /// was released before.
    case notReleased
}
