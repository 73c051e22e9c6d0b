import Synchronization

/// Wakes one waiting task. A signal that comes while nobody waits is remembered, once.
///
/// A continuation leaves the state in the same step in which it is taken to be resumed, so it is resumed exactly once
/// and need not be a checked one, which costs an allocation for every wait.
package final class Signal: Sendable {
    private enum State {
        case idle
        case signalled
        case waiting(UnsafeContinuation<Void, Never>)
    }

    private let state = Mutex(State.idle)

    package init() {}

    /// Wakes the waiting task, or the next one that waits.
    package func signal() {
        let continuation: UnsafeContinuation<Void, Never>? = state.withLock { state in
            if case .waiting(let continuation) = state {
                state = .idle
                return continuation
            }
            state = .signalled
            return nil
        }
        continuation?.resume()
    }

    /// Waits for a signal or the task's cancellation. Only one task may wait at a time.
    package func wait() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isReady = state.withLock { state in
                    if case .signalled = state {
                        state = .idle
                        return true
                    }
                    state = .waiting(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            // A handler that runs before the continuation is in its place leaves the signal for it.
            signal()
        }
    }

    /// Waits for a signal, at most until an instant.
    package func wait(until deadline: ContinuousClock.Instant) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
            await group.next()
            group.cancelAll()
        }
    }
}
