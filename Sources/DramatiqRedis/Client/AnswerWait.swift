import Synchronization

/// Somebody's waiting for an answer, which can be given up from outside. Takes the place of a task's cancellation where
/// that must not cut anything short, and of a task made for that.
final class AnswerWait: Sendable {
    private enum State {
        /// Between two requests, or before the first.
        case idle
        case waiting(cancel: @Sendable () -> Void)
        case givenUp
    }

    private let state = Mutex(State.idle)

    /// Ends the waiting with a `CancellationError`, now or as soon as it begins.
    func giveUp() {
        let before = state.withLock { state in
            defer { state = .givenUp }
            return state
        }
        if case .waiting(let cancel) = before { cancel() }
    }

    /// Waits.
    ///
    /// - Parameters:
    ///   - cancel: ends `body` early.
    ///   - body: isn't cancelled with the task.
    func callAsFunction<Result>(
        cancelling cancel: @escaping @Sendable () -> Void,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let isGivenUp = state.withLock { state in
            if case .givenUp = state { return true }
            state = .waiting(cancel: cancel)
            return false
        }
        if isGivenUp { throw CancellationError() }
        defer {
            state.withLock { state in
                if case .waiting = state { state = .idle }
            }
        }
        return try await body()
    }
}
