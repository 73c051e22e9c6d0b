import Synchronization

/// A message that a worker has taken.
final class TakenMessage: Sendable {
    let tag: UInt64
    /// The worker's id and the queue: what follows `__acks__.`.
    let taken: String
    /// The queue that it was taken from, such as `default` or `default.DQ`.
    let queueName: String
    /// Its id in Redis, which is not its message id.
    let id: String
    /// ``Delivery/crashes``; `nil` if the server has noted nothing about it.
    let crashes: UInt16?
    private let ended = Atomic(false)
    private let underWay = Atomic(false)

    init(tag: UInt64, taken: String, queueName: String, id: String, crashes: UInt16?) {
        self.tag = tag
        self.taken = taken
        self.queueName = queueName
        self.id = id
        self.crashes = crashes
    }

    /// Whether it is not this process's any more.
    var isEnded: Bool { ended.load(ordering: .acquiring) }

    /// Whether the server may have noted that it is under way.
    var isUnderWay: Bool { underWay.load(ordering: .acquiring) }

    func note(isUnderWay: Bool) {
        underWay.store(isUnderWay, ordering: .releasing)
    }

    /// It is not this process's any more.
    func end() {
        ended.store(true, ordering: .releasing)
    }
}
