import DramatiqRedis
import RedisTestSupport
import Synchronization

/// Runs commands on a server, of which commits can be made to wait.
final class HeldExecutor: RedisExecutor {
    private struct State {
        var isHolding = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let base: any RedisExecutor
    private let state = Mutex(State())

    init(_ base: any RedisExecutor) {
        self.base = base
    }

    /// How many commits wait.
    var heldCount: Int { state.withLock(\.waiting.count) }

    /// Lets no commit through from now on.
    func hold() {
        state.withLock { $0.isHolding = true }
    }

    /// Lets through what waits, and all that comes.
    func letGo() {
        let waiting = state.withLock { state in
            defer { state = State() }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func execute(_ command: RedisCommand) async throws -> RESPValue {
        if command.isCommit {
            await withCheckedContinuation { continuation in
                let isHeld = state.withLock { state in
                    if state.isHolding { state.waiting.append(continuation) }
                    return state.isHolding
                }
                if !isHeld { continuation.resume() }
            }
        }
        return try await base.execute(command)
    }

    func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
        try await base.pipeline(commands)
    }

    func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
        try await base.block(command, timeout: timeout)
    }
}
