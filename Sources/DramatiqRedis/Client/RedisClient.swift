public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// Talks to one Redis server.
///
///     let redis = try RedisClient(url: "redis://127.0.0.1:6379")
///     try await redis.execute(RedisCommand("SET", "key", "value"))
///
/// All commands share one connection, which is made when the first of them needs it and made again when it is lost;
/// commands that block have connections of their own. What tasks send at the same time goes out in one write, and no
/// command waits for another's answer.
///
/// After a command was sent and its connection lost, nobody knows whether it was run
/// (``RedisError/mayHaveTakenEffect``); the client never repeats it by itself.
///
/// Add it to a service group to connect early and to close at the end; it works without as well.
public final class RedisClient: RedisExecutor, Service {
    public let configuration: RedisConfiguration
    private let shared: RedisConnection
    private let blocking: BlockingConnections

    /// A client for the server of a URL; see ``RedisConfiguration/init(url:)``.
    ///
    /// - Throws: ``RedisError/Code/invalidConfiguration``.
    public convenience init(url: String, logger: Logger = Logger(label: "dramatiq.redis")) throws(RedisError) {
        try self.init(RedisConfiguration(url: url), logger: logger)
    }

    /// A client. It reads the files of certificates, if there are any, and doesn't connect yet.
    ///
    /// - Parameter logger: gets what has no caller to be thrown to.
    /// - Throws: ``RedisError/Code/invalidConfiguration``.
    public init(
        _ configuration: RedisConfiguration,
        logger: Logger = Logger(label: "dramatiq.redis")
    ) throws(RedisError) {
        self.configuration = configuration
        let connector = try ChannelConnector(configuration)
        let group = MultiThreadedEventLoopGroup.singleton
        shared = RedisConnection(connector: connector, isBlocking: false, eventLoop: group.next(), logger: logger)
        blocking = BlockingConnections(connector: connector, group: group, logger: logger)
    }

    deinit {
        shared.close()
        _ = blocking.close()
    }

    /// Stays connected until the task is cancelled or the service group shuts down, then ``shutDown()``. An outage of
    /// the server doesn't end it.
    public func run() async throws {
        shared.stayConnected()
        try? await gracefulShutdown()
        await shutDown()
    }

    /// Closes the connections. Commands that have no answer yet, and those that come later, fail with
    /// ``RedisError/Code/clientClosed``.
    public func shutDown() async {
        await shared.closeGracefully()
        for connection in blocking.close() { await connection.closeGracefully() }
    }

    public func execute(_ command: RedisCommand) async throws -> RESPValue {
        try await pipeline([command])[0].get()
    }

    public func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
        guard !commands.isEmpty else { return [] }
        return try await run(commands, on: shared, deadline: .now() + TimeAmount(configuration.commandTimeout))
    }

    public func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
        try await blocking.withConnection { connection in
            let deadline = timeout.map { NIODeadline.now() + TimeAmount($0 + configuration.commandTimeout) }
            return try await run([command], on: connection, deadline: deadline ?? .distantFuture)[0].get()
        }
    }

    /// Runs commands; scripts that the server turns out not to know are sent again in full.
    private func run(
        _ commands: [RedisCommand],
        on connection: RedisConnection,
        deadline: NIODeadline
    ) async throws -> RedisRequest.Results {
        var results = try await connection.run(RedisRequest(commands, sendsSources: false, deadline: deadline))
        let lost = results.indices.filter { results[$0].isScriptLost && commands[$0].script != nil }
        guard !lost.isEmpty else { return results }
        let again = try await connection.run(
            RedisRequest(lost.map { commands[$0] }, sendsSources: true, deadline: deadline))
        for (index, result) in zip(lost, again) { results[index] = result }
        return results
    }
}

extension Result<RESPValue, RedisError> {
    fileprivate var isScriptLost: Bool {
        if case .failure(let error) = self { error.isServerError("NOSCRIPT") } else { false }
    }
}
