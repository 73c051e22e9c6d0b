import Dramatiq
import Logging
import Synchronization

/// Waits until a queue has something, without asking again and again.
///
/// `BLMOVE Q Q LEFT LEFT` blocks until the list has an element and moves it to where it was, so it works for whatever
/// fills the queue. Servers before 6.2 don't have it; they are asked at intervals.
final class QueueWatcher: Sendable {
    private static let timeout = 10
    private static let longestPause = Duration.milliseconds(250)

    private struct State {
        /// Whether somebody waits.
        var isWanted = false
        /// Whether the server can't wait for us.
        var polls = false
        /// The pause before the next question.
        var pause = Duration.milliseconds(2)
        var task: Task<Void, Never>?
        var isClosed = false
    }

    /// The queue has something, or should be looked at for another reason.
    let arrival = Signal()
    private let wanted = Signal()
    private let executor: any RedisExecutor
    private let list: String
    private let logger: Logger
    private let state = Mutex(State())

    init(executor: any RedisExecutor, list: String, logger: Logger) {
        self.executor = executor
        self.list = list
        self.logger = logger
    }

    /// Waits until the queue should be looked at, or until an instant.
    func wait(until deadline: ContinuousClock.Instant? = nil) async {
        let (polls, pause) = state.withLock { state -> (Bool, Duration) in
            state.isWanted = true
            if state.task == nil, !state.isClosed, !state.polls {
                // It ends with close().
                state.task = Task { await self.watch() }
            }
            defer { state.pause = min(state.pause * 2, Self.longestPause) }
            return (state.polls, state.pause)
        }
        wanted.signal()
        if polls {
            let next = ContinuousClock.now + pause
            await arrival.wait(until: deadline.map { min($0, next) } ?? next)
        } else if let deadline {
            await arrival.wait(until: deadline)
        } else {
            await arrival.wait()
        }
        state.withLock { $0.isWanted = false }
    }

    /// Something was there, so that the next pause is a short one.
    func noteActivity() {
        state.withLock { $0.pause = .milliseconds(2) }
    }

    func close() {
        let task = state.withLock { state in
            state.isClosed = true
            return state.task
        }
        task?.cancel()
        arrival.signal()
    }

    private func watch() async {
        var failures = 0
        while !Task.isCancelled {
            await wanted.wait()
            while !Task.isCancelled, state.withLock(\.isWanted) {
                do {
                    let command = RedisCommand("BLMOVE", list, list, "LEFT", "LEFT", Self.timeout)
                    let reply = try await executor.block(command, timeout: .seconds(Self.timeout))
                    failures = 0
                    guard !reply.isNull else { continue }
                    arrival.signal()
                    break
                } catch let error as RedisError where error.code == .server && !error.isTransient {
                    // The command is unknown or forbidden.
                    logger.log(
                        level: error.isServerError("NOPERM") ? .error : .notice,
                        "Redis can't be waited for, so it is asked at intervals",
                        metadata: ["key": "\(list)", "error": "\(error)"])
                    state.withLock { $0.polls = true }
                    return arrival.signal()
                } catch {
                    failures += 1
                    // The consumer asks the server itself, and reports what is wrong with it.
                    arrival.signal()
                    try? await Task.sleep(for: .milliseconds(min(2000, 50 << min(failures, 6))))
                }
            }
        }
    }
}
