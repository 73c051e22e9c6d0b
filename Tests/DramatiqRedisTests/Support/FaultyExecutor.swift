import DramatiqRedis
import Synchronization

/// Runs commands on a server, and fails when it is told to: before a command is sent, or after it ran and before
/// anybody hears of it.
final class FaultyExecutor: RedisExecutor {
    enum Fault: Sendable {
        /// The command is not sent.
        case before
        /// The command runs, and its answer is lost.
        case after
    }

    private let base: any RedisExecutor
    private let fault = Mutex<@Sendable (RedisCommand) -> Fault?>({ _ in nil })

    init(_ base: any RedisExecutor) {
        self.base = base
    }

    func set(_ fault: @escaping @Sendable (RedisCommand) -> Fault?) {
        self.fault.withLock { $0 = fault }
    }

    func execute(_ command: RedisCommand) async throws -> RESPValue {
        switch fault.withLock({ $0 })(command) {
        case .before?:
            throw RedisError(.connectionClosed, "Lost before it was sent")
        case .after?:
            _ = try await base.execute(command)
            throw RedisError(.connectionClosed, "The answer was lost", mayHaveTakenEffect: true)
        case nil:
            return try await base.execute(command)
        }
    }

    func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
        try await base.pipeline(commands)
    }

    func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
        try await base.block(command, timeout: timeout)
    }
}
