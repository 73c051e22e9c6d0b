import Synchronization

/// How far a worker's end has come.
final class WorkerShutdown: Sendable {
    enum Phase: Int, Comparable {
        /// Messages are taken and processed.
        case running
        /// No more messages are taken; what runs may end.
        case draining
        /// The grace period is over: what still runs is cancelled.
        case forced
        /// What follows from messages and waits for something elsewhere, such as a storage, is cancelled as well.
        case over

        static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    private struct State {
        var phase = Phase.running
        var waiters: [(phase: Phase, signal: Signal)] = []
    }

    private let state = Mutex(State())
    /// Whether the end has begun, for those who ask for every message.
    private let begun = Atomic(false)

    var phase: Phase { state.withLock(\.phase) }

    /// Whether the worker is about to end: no actor starts any more.
    var hasBegun: Bool { begun.load(ordering: .acquiring) }

    /// Moves on to a phase; there is no way back.
    func advance(to phase: Phase) {
        if phase > .running { begun.store(true, ordering: .releasing) }
        let signals = state.withLock { state -> [Signal] in
            guard phase > state.phase else { return [] }
            state.phase = phase
            let due = state.waiters.filter { $0.phase <= phase }.map(\.signal)
            state.waiters.removeAll { $0.phase <= phase }
            return due
        }
        for signal in signals { signal.signal() }
    }

    /// Waits until a phase has begun, at most until a deadline, or the task's cancellation.
    func wait(for phase: Phase, until deadline: ContinuousClock.Instant? = nil) async {
        let signal = Signal()
        let isThere = state.withLock { state in
            if state.phase >= phase { return true }
            state.waiters.append((phase, signal))
            return false
        }
        if isThere { return }
        if let deadline {
            await signal.wait(until: deadline)
        } else {
            await signal.wait()
        }
        state.withLock { $0.waiters.removeAll { $0.signal === signal } }
    }

    /// Pauses.
    ///
    /// - Returns: `false` if the grace period is over.
    func pause(_ duration: Duration) async -> Bool {
        await wait(for: .forced, until: .now + duration)
        return phase < .forced
    }
}
