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
    private enum Stage: UInt8, AtomicRepresentable {
        case waiting, begun, lost
    }

    private let ended = Atomic(false)
    private let stage = Atomic(Stage.waiting)
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

    /// Whether it is known to be another worker's by now. One that has begun never is: the server knows when it ends.
    var isLost: Bool { stage.load(ordering: .acquiring) == .lost }

    /// Whether its actor was begun.
    var hasBegun: Bool { stage.load(ordering: .acquiring) == .begun }

    /// Begins to process it.
    ///
    /// - Returns: `false` if it is another worker's.
    func begin() -> Bool {
        stage.compareExchange(expected: .waiting, desired: .begun, ordering: .acquiringAndReleasing).original != .lost
    }

    /// Another worker has it, so it must not be begun.
    func lose() {
        _ = stage.compareExchange(expected: .waiting, desired: .lost, ordering: .acquiringAndReleasing)
    }

    /// It is not this process's any more.
    func end() {
        ended.store(true, ordering: .releasing)
    }
}
