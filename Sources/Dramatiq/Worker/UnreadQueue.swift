import DequeModule
import Synchronization

/// Messages for which there was no room in memory when they came: they wait in the form in which they came, and are read
/// one after the other.
final class UnreadQueue: Sendable {
    struct Unread: Sendable {
        let delivery: Delivery
        let source: WorkSource
        /// How much room it needs, as far as that is known.
        let needed: Int

        /// How many bytes it takes while it waits.
        fileprivate var size: Int {
            if case .bytes(let bytes) = delivery.payload { bytes.count } else { 0 }
        }
    }

    private struct State {
        var waiting: Deque<Unread> = []
        var size = 0
        /// Who would take more.
        var takers: [Signal] = []

        /// Those that may take more by now.
        mutating func takersToWake(_ limit: Int) -> [Signal] {
            guard size <= limit else { return [] }
            defer { takers = [] }
            return takers
        }
    }

    private let limit: Int
    private let state = Mutex(State())
    private let arrival = Signal()

    /// - Parameter limit: nothing more is taken while those that wait have more bytes.
    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { state.withLock { $0.waiting.isEmpty } }

    func add(_ unread: Unread) {
        state.withLock { state in
            state.waiting.append(unread)
            state.size += unread.size
        }
        arrival.signal()
    }

    /// Waits for the one that is next, which keeps its place; `nil` once the task is cancelled.
    func first() async -> Unread? {
        while !Task.isCancelled {
            if let first = state.withLock({ $0.waiting.first }) { return first }
            await arrival.wait()
        }
        return nil
    }

    /// The one that was next is read.
    func removeFirst() {
        let takers = state.withLock { state -> [Signal] in
            guard let first = state.waiting.popFirst() else { return [] }
            state.size -= first.size
            return state.takersToWake(limit)
        }
        for signal in takers { signal.signal() }
    }

    /// Waits until more may be taken, or the task is cancelled.
    ///
    /// - Parameter signal: the caller's own.
    func waitForRoom(_ signal: Signal) async {
        while !Task.isCancelled {
            let hasRoom = state.withLock { state in
                if state.size <= limit { return true }
                state.takers.append(signal)
                return false
            }
            if hasRoom { return }
            await signal.wait()
            state.withLock { state in state.takers.removeAll { $0 === signal } }
        }
    }

    /// Takes out what came from a source, first come first. The one that is next keeps its place: somebody reads it.
    func drain(of source: WorkSource) -> [Unread] {
        let (drained, takers) = state.withLock { state -> ([Unread], [Signal]) in
            guard let first = state.waiting.popFirst() else { return ([], []) }
            let drained = state.waiting.filter { $0.source === source }
            state.waiting.removeAll { $0.source === source }
            state.waiting.prepend(first)
            state.size -= drained.reduce(0) { $0 + $1.size }
            return (Array(drained), state.takersToWake(limit))
        }
        for signal in takers { signal.signal() }
        return drained
    }

    /// Takes out everything, first come first.
    func drain() -> [Unread] {
        state.withLock { state in
            defer {
                state.waiting = []
                state.size = 0
            }
            return Array(state.waiting)
        }
    }
}
