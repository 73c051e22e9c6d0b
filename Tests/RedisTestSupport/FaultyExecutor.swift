public import DramatiqRedis
import Synchronization

/// Runs commands on a server, and fails when it is told to: before a command is sent, or after it ran and before
/// anybody hears of it.
public final class FaultyExecutor: RedisExecutor {
    public enum Fault: Sendable {
        /// The command is not sent.
        case before
        /// The command runs, its answer is lost, and something is done about it.
        case after(then: @Sendable () -> Void)

        /// The command runs, and its answer is lost.
        public static let after = Fault.after(then: {})
    }

    private let base: any RedisExecutor
    private let fault = Mutex<@Sendable (RedisCommand) -> Fault?>({ _ in nil })

    public init(_ base: any RedisExecutor) {
        self.base = base
    }

    public func set(_ fault: @escaping @Sendable (RedisCommand) -> Fault?) {
        self.fault.withLock { $0 = fault }
    }

    public func execute(_ command: RedisCommand) async throws -> RESPValue {
        switch fault.withLock({ $0 })(command) {
        case .before?:
            throw RedisError(.connectionClosed, "Lost before it was sent")
        case .after(let action)?:
            _ = try await base.execute(command)
            action()
            throw RedisError(.connectionClosed, "The answer was lost", mayHaveTakenEffect: true)
        case nil:
            return try await base.execute(command)
        }
    }

    public func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
        try await base.pipeline(commands)
    }

    public func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
        try await base.block(command, timeout: timeout)
    }
}

extension RedisCommand {
    /// Whether it is the script by which a transport sends and settles.
    public var isCommit: Bool { script?.source.contains("__commits__.' .. take()") ?? false }
}
