import Synchronization

/// One of a worker's processors as seen by those who may cancel what it runs.
///
/// Interrupting and finishing exclude each other: an interrupt reaches exactly the execution that it was meant for.
final class ProcessorSlot: Sendable {
    enum Interruption: Sendable {
        case timeLimit
        case shutdown
        /// The message is not wanted any more, and ends so if its actor gives up.
        case withdrawal(ending: @Sendable (inout MessageContext) -> Void)

        var isShutdown: Bool {
            if case .shutdown = self { true } else { false }
        }
    }

    private struct State {
        var running: DeliveredMessage?
        var deadline: Moment?
        var isCancelledOnShutdown = false
        var interruption: Interruption?
        var signal = Signal()
    }

    /// The broker's middleware.
    let chain: MiddlewareChain
    private let state = Mutex(State())
    /// What is between the actors: hooks, which may wait for something elsewhere. Apart from the rest, so that those which
    /// don't cost no lock.
    private let hooks = Atomic(Hooks.none.rawValue)

    private enum Hooks: UInt8 {
        case none, running, interrupted
    }

    init(_ chain: MiddlewareChain) {
        self.chain = chain.copy()
    }

    /// Begins an execution.
    func start(_ message: DeliveredMessage, deadline: Moment?, isCancelledOnShutdown: Bool) {
        state.withLock { state in
            state.running = message
            state.deadline = deadline
            state.isCancelledOnShutdown = isCancelledOnShutdown
        }
    }

    /// Ends it, and tells whether it was interrupted.
    func finish() -> Interruption? {
        state.withLock { state in
            state.running = nil
            defer { state.interruption = nil }
            return state.interruption
        }
    }

    /// Begins hooks that may be interrupted.
    @inline(__always)
    func startHooks() {
        hooks.store(Hooks.running.rawValue, ordering: .releasing)
    }

    /// Ends them, and tells whether they were interrupted.
    @inline(__always)
    func finishHooks() -> Bool {
        hooks.exchange(Hooks.none.rawValue, ordering: .acquiringAndReleasing) == Hooks.interrupted.rawValue
    }

    /// Interrupts hooks because the worker is out of time.
    func interruptHooks() {
        let (running, interrupted) = (Hooks.running.rawValue, Hooks.interrupted.rawValue)
        let result = hooks.compareExchange(expected: running, desired: interrupted, ordering: .acquiringAndReleasing)
        if result.exchanged { state.withLock(\.signal).signal() }
    }

    /// A fresh signal that the next interruption will give.
    func renewSignal() -> Signal {
        let signal = Signal()
        state.withLock { $0.signal = signal }
        return signal
    }

    /// Interrupts what is past its deadline.
    func interruptIfOverdue(_ now: Moment) {
        interrupt(.timeLimit) { state in state.deadline.map { $0 <= now } ?? false }
    }

    /// Interrupts what runs because the worker shuts down.
    ///
    /// - Parameter onlyNotified: spares what did not ask to be told.
    func interruptForShutdown(onlyNotified: Bool) {
        interrupt(.shutdown) { state in !onlyNotified || state.isCancelledOnShutdown }
    }

    /// The message whose actor runs.
    var running: DeliveredMessage? { state.withLock(\.running) }

    /// Interrupts what runs for a message.
    func withdraw(_ message: DeliveredMessage, _ ending: @escaping @Sendable (inout MessageContext) -> Void) {
        interrupt(.withdrawal(ending: ending)) { state in state.running === message }
    }

    private func interrupt(_ interruption: Interruption, if applies: (State) -> Bool) {
        let signal = state.withLock { state -> Signal? in
            guard state.running != nil, state.interruption == nil, applies(state) else { return nil }
            state.interruption = interruption
            return state.signal
        }
        signal?.signal()
    }
}
