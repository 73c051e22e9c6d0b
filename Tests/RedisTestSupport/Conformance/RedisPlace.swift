import Dramatiq
public import DramatiqRedis
public import DramatiqTestKit
import Synchronization
import TestSupport

/// A server with clients that a check makes, and what can happen to it.
public final class RedisPlace: Sendable {
    public let server: RedisServer
    private let clients = Mutex<[RedisClient]>([])
    private let control: RedisClient

    public init(_ server: RedisServer) throws {
        self.server = server
        control = try RedisClient(url: server.url, logger: RecordingLog().logger)
    }

    /// Makes a client whose steps fail as a switch has it.
    ///
    /// - Parameter isStep: which commands are steps.
    public func makeClient(
        _ faults: FaultSwitch,
        isStep: @escaping @Sendable (RedisCommand) -> Bool
    ) throws -> (client: RedisClient, executor: any RedisExecutor) {
        let client = try RedisClient(url: server.url, logger: RecordingLog().logger)
        clients.withLock { $0.append(client) }
        let executor = FaultyExecutor(client)
        executor.set { command in
            guard isStep(command) else { return nil }
            switch faults.next() {
            case .refuse?: return .before
            case .loseAnswer?: return .after
            default: return nil
            }
        }
        return (client, executor)
    }

    /// Brings the end of every key so much nearer.
    public func letPass(_ time: Duration) async throws {
        let script = """
            for _, key in ipairs(redis.call('KEYS', '*')) do
              local left = redis.call('PTTL', key)
              if left >= 0 then redis.call('PEXPIRE', key, left - tonumber(ARGV[1])) end
            end
            """
        _ = try await control.execute(RedisCommand("EVAL", script, 0, time.milliseconds))
    }

    public func cut() async throws {
        _ = try await control.execute(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
    }

    public func restart() async throws {
        try await server.restart()
        try await eventually { (try? await control.execute(RedisCommand("PING"))) != nil }
    }

    /// Removes the keys that don't belong to queues.
    public func forget(namespace: String = "dramatiq") async throws {
        let script = """
            for _, key in ipairs(redis.call('KEYS', '*')) do
              if string.sub(key, 1, #ARGV[1]) ~= ARGV[1] or string.find(key, '__workflows__', 1, true) then
                redis.call('DEL', key)
              end
            end
            """
        _ = try await control.execute(RedisCommand("EVAL", script, 0, "\(namespace):"))
    }

    public func finish() async {
        let all = clients.withLock { clients in
            defer { clients = [] }
            return clients
        }
        for client in all { await client.shutDown() }
        await control.shutDown()
    }
}
