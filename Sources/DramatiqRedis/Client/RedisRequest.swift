import NIOCore
import Synchronization

/// Commands that a task waits for the answers of.
final class RedisRequest: Sendable {
    typealias Results = [Result<RESPValue, RedisError>]

    private enum State {
        case new
        /// Handed to a connection, under an id. Who ends the waiting takes the continuation out, so it is resumed once and
        /// need not be a checked one, which costs an allocation for every request.
        case submitted(id: UInt64, UnsafeContinuation<Results, any Error>)
        case finished
        case cancelled
    }

    let commands: [RedisCommand]
    /// Whether scripts are sent in full although the server is believed to know them.
    let sendsSources: Bool
    /// When it is given up.
    let deadline: NIODeadline
    private let state = Mutex(State.new)

    init(_ commands: [RedisCommand], sendsSources: Bool, deadline: NIODeadline) {
        self.commands = commands
        self.sendsSources = sendsSources
        self.deadline = deadline
    }

    /// Whether somebody waits for it.
    var isWaitedFor: Bool {
        state.withLock { if case .submitted = $0 { true } else { false } }
    }

    /// A connection takes it. Returns `false`, and ends the waiting, if the task was cancelled before.
    func submit(id: UInt64, _ continuation: UnsafeContinuation<Results, any Error>) -> Bool {
        let isCancelled = state.withLock { state in
            if case .cancelled = state { return true }
            state = .submitted(id: id, continuation)
            return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
        return !isCancelled
    }

    /// Ends the waiting, unless it has ended.
    func finish(_ results: Results) {
        take(.finished)?.continuation.resume(returning: results)
    }

    /// Ends the waiting with the same error for every command, unless it has ended.
    func fail(_ error: RedisError) {
        finish(Array(repeating: .failure(error), count: commands.count))
    }

    /// Marks it as cancelled, unless it has ended. Returns who waits, to be told by the caller, and the id under which
    /// a connection has it.
    func cancel() -> (id: UInt64, continuation: UnsafeContinuation<Results, any Error>)? {
        take(.cancelled)
    }

    private func take(_ next: State) -> (id: UInt64, continuation: UnsafeContinuation<Results, any Error>)? {
        state.withLock { state in
            switch state {
            case .submitted(let id, let continuation):
                state = next
                return (id, continuation)
            case .new:
                state = next
                return nil
            case .finished, .cancelled: return nil
            }
        }
    }
}
