import Synchronization

/// A message that a worker has taken.
final class TakenMessage: Sendable {
    private enum Stage {
        static let held: UInt8 = 0
        /// It was to be settled, which may have worked.
        static let tried: UInt8 = 1
        static let ended: UInt8 = 2
    }

    let tag: UInt64
    /// The worker's id and the queue: what follows `__acks__.`.
    let taken: String
    /// The queue that it was taken from, such as `default` or `default.DQ`.
    let queueName: String
    /// Its id in Redis, which is not its message id.
    let id: String
    private let stage = Atomic<UInt8>(Stage.held)

    init(tag: UInt64, taken: String, queueName: String, id: String) {
        self.tag = tag
        self.taken = taken
        self.queueName = queueName
        self.id = id
    }

    /// It is about to be settled. Returns whether that was tried before; `nil` if it is settled.
    func begin() -> Bool? {
        let (_, before) = stage.compareExchange(
            expected: Stage.held, desired: Stage.tried, ordering: .acquiringAndReleasing)
        return before == Stage.ended ? nil : before == Stage.tried
    }

    /// What was tried is known not to have settled it.
    func reset() {
        _ = stage.compareExchange(expected: Stage.tried, desired: Stage.held, ordering: .acquiringAndReleasing)
    }

    /// It is not this process's any more.
    func end() {
        stage.store(Stage.ended, ordering: .releasing)
    }
}
