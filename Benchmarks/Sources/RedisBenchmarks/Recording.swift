import BenchmarkSupport
import DramatiqRedis
import Synchronization

/// Runs commands and remembers them, so that the same ones can be run again without those who made them.
final class Recording: RedisExecutor {
    private let client: RedisClient
    private let commands = Mutex<[RedisCommand]>([])

    init(_ client: RedisClient) {
        self.client = client
    }

    /// The commands since the last time.
    func take() -> [RedisCommand] {
        commands.withLock { commands in
            defer { commands = [] }
            return commands
        }
    }

    func execute(_ command: RedisCommand) async throws -> RESPValue {
        commands.withLock { $0.append(command) }
        return try await client.execute(command)
    }

    func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
        self.commands.withLock { $0 += commands }
        return try await client.pipeline(commands)
    }

    func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
        try await client.block(command, timeout: timeout)
    }
}

/// Does what was recorded once more: the limit that the server sets.
struct Replay {
    let client: RedisClient
    /// What puts the server into the state in which the recording began.
    let setup: [RedisCommand]
    let commands: [RedisCommand]
    let work: Int
    /// How many commands are sent before their answers are waited for.
    let width: Int

    func callAsFunction() async throws -> Measurement {
        _ = try await client.execute(RedisCommand("FLUSHALL"))
        try await run(setup)
        return try await Measurement.of(work: Double(work)) { try await run(commands) }
    }

    private func run(_ commands: [RedisCommand]) async throws {
        var rest = commands[...]
        while !rest.isEmpty {
            for result in try await client.pipeline(Array(rest.prefix(width))) { _ = try result.get() }
            rest = rest.dropFirst(width)
        }
    }
}
