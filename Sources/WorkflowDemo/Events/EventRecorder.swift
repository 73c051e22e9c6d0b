import Synchronization

/// Puts a time on what happens and passes it on, in order.
final class EventRecorder: Sendable {
    private struct State: Sendable {
        let continuation: AsyncStream<DemoEvent>.Continuation
        var history: [DemoEvent] = []
    }

    /// The events, for one reader; ends after ``finish()``.
    let events: AsyncStream<DemoEvent>
    private let keepsHistory: Bool
    private let start = ContinuousClock.now
    // Times must not go backwards from one event to the next, so taking the time and passing on are one step.
    private let state: Mutex<State>

    /// - Parameter keepsHistory: whether to remember all events.
    init(keepsHistory: Bool = false) {
        let (events, continuation) = AsyncStream.makeStream(of: DemoEvent.self)
        self.events = events
        self.keepsHistory = keepsHistory
        state = Mutex(State(continuation: continuation))
    }

    func record(_ kind: DemoEvent.Kind) {
        state.withLock { state in
            let event = DemoEvent(milliseconds: elapsedMilliseconds, kind: kind)
            if keepsHistory { state.history.append(event) }
            state.continuation.yield(event)
        }
    }

    /// No more events follow.
    func finish() {
        state.withLock { $0.continuation.finish() }
    }

    /// The events so far, if they are kept.
    var history: [DemoEvent] { state.withLock(\.history) }

    var elapsedMilliseconds: Double {
        (ContinuousClock.now - start) / .milliseconds(1)
    }
}
