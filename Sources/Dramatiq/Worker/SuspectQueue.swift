import DequeModule
import Synchronization

/// Messages that may have taken workers with them and wait for their turn; see ``SuspectTurn``.
final class SuspectQueue: Sendable {
    struct Suspect: Sendable {
        let delivery: Delivery
        let source: WorkSource
    }

    /// Whose turn it is, here and where transports read such messages.
    let turn = SuspectTurn()
    private let waiting = Mutex<Deque<Suspect>>([])
    private let arrival = Signal()
    private let end = Signal()

    func add(_ suspect: Suspect) {
        waiting.withLock { $0.append(suspect) }
        arrival.signal()
    }

    /// Waits for the next one; `nil` once the task is cancelled.
    func next() async -> Suspect? {
        while !Task.isCancelled {
            if let next = waiting.withLock({ $0.popFirst() }) { return next }
            await arrival.wait()
        }
        return nil
    }

    /// Waits until the one that is processed has ended, with its commit, or the task is cancelled.
    func waitForEnd() async { await end.wait() }

    /// The one that is processed has ended.
    func noteEnd() { end.signal() }

    /// Takes out what came from a source, first come first.
    func drain(of source: WorkSource) -> [Suspect] {
        waiting.withLock { waiting in
            defer { waiting.removeAll { $0.source === source } }
            return waiting.filter { $0.source === source }
        }
    }

    /// Takes out everything, first come first.
    func drain() -> [Suspect] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return Array(waiting)
        }
    }
}
