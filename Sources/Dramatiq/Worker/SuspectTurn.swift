import Synchronization

/// Whose turn it is of the messages that may have taken workers with them (``Delivery/crashes``). In a worker one of them
/// at a time is read or processed, so that none is suspected again for what another one does.
package final class SuspectTurn: Sendable {
    private struct State {
        var isTaken = false
        /// Whom to tell when the turn has ended.
        var waiting: [Signal] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Takes the turn, unless it is somebody's. ``end()`` must follow.
    ///
    /// - Parameter signal: is given when the turn has ended, if it is somebody's.
    /// - Returns: whether it was taken.
    package func begin(orTell signal: Signal) -> Bool {
        state.withLock { state in
            if state.isTaken {
                if !state.waiting.contains(where: { $0 === signal }) { state.waiting.append(signal) }
                return false
            }
            state.isTaken = true
            return true
        }
    }

    package func end() {
        let waiting = state.withLock { state in
            defer { state = State() }
            return state.waiting
        }
        for signal in waiting { signal.signal() }
    }

    /// Takes the turn, waiting for it. Returns `false` once the task is cancelled.
    func begin() async -> Bool {
        let signal = Signal()
        while !Task.isCancelled {
            if begin(orTell: signal) { return true }
            await signal.wait()
        }
        return false
    }
}
