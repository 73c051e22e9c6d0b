import Dramatiq
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
/// The server may be any one of a cluster: a command whose key lies elsewhere is sent to where the cluster says, on a
/// connection of that server's own. The keys of one command or script must lie in one slot.
///
/// Add it to a service group to connect early; it works without as well.
public final class RedisClient: RedisExecutor, Service {
    /// How often the servers of a cluster may point to each other before that is an error.
    private static let maxRedirections = 8

    public let configuration: RedisConfiguration
    private let shared: RedisConnection
    private let blocking: BlockingConnections
    private let cluster: ClusterNodes

    /// A client for the server of a URL; see ``RedisConfiguration/init(url:)``.
    ///
    /// - Throws: ``RedisError/Code/invalidConfiguration``.
    public convenience init(url: String, logger: Logger = Logger(label: "dramatiq.redis")) throws(RedisError) {
        try self.init(RedisConfiguration(url: url), logger: logger)
    }

    /// A client. It reads the files of certificates, if there are any, and doesn't connect yet.
    ///
    /// - Parameters:
    ///   - configuration: the server, and how long to wait for it.
    ///   - logger: gets what has no caller to be thrown to. Defaults to one with the label `dramatiq.redis`.
    /// - Throws: ``RedisError/Code/invalidConfiguration``.
    public init(
        _ configuration: RedisConfiguration,
        logger: Logger = Logger(label: "dramatiq.redis")
    ) throws(RedisError) {
        let logger = logger.printable
        self.configuration = configuration
        let connector = try ChannelConnector(configuration)
        let group = MultiThreadedEventLoopGroup.singleton
        shared = RedisConnection(connector: connector, isBlocking: false, eventLoop: group.next(), logger: logger)
        blocking = BlockingConnections(connector: connector, group: group, logger: logger)
        cluster = ClusterNodes { address in
            RedisConnection(
                connector: connector.connecting(to: address), isBlocking: false, eventLoop: group.next(),
                logger: logger)
        }
    }

    deinit {
        shared.close()
        _ = blocking.close()
        _ = cluster.close()
    }

    /// Stays connected until the task is cancelled or the service group shuts down. An outage of the server doesn't end
    /// it.
    ///
    /// Commands work after that as well, so it doesn't matter in which order a service group ends its services; the
    /// connections close when nobody has used them for a second. ``shutDown()`` ends them for good.
    ///
    /// - Throws: nothing.
    public func run() async throws {
        shared.stayConnected()
        try? await gracefulShutdown()
        shared.release()
        blocking.release()
        cluster.release()
    }

    /// Closes the connections. Commands that have no answer yet, and those that come later, fail with
    /// ``RedisError/Code/clientClosed``.
    public func shutDown() async {
        await shared.closeGracefully()
        for connection in blocking.close() + cluster.close() { await connection.closeGracefully() }
    }

    public func execute(_ command: RedisCommand) async throws -> RESPValue {
        try await pipeline([command])[0].get()
    }

    public func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
        try await pipeline(commands, nil)
    }

    private func pipeline(_ commands: [RedisCommand], _ wait: AnswerWait?) async throws -> RedisRequest.Results {
        guard !commands.isEmpty else { return [] }
        let deadline = NIODeadline.now() + TimeAmount(configuration.commandTimeout)
        return try await run(commands) { commands, address in
            let connection = try address.map { try self.cluster.connection(to: $0) } ?? self.shared
            return try await self.run(commands, on: connection, deadline: deadline, wait)
        }
    }

    public func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
        try await run([command]) { commands, address in
            try await self.blocking.withConnection(to: address ?? self.configuration.address) { connection in
                let deadline = timeout.map {
                    NIODeadline.now() + TimeAmount($0) + TimeAmount(self.configuration.commandTimeout)
                }
                return try await self.run(commands, on: connection, deadline: deadline ?? .distantFuture)
            }
        }[0].get()
    }

    /// Runs commands; scripts that the server turns out not to know are sent again in full.
    private func run(
        _ commands: [RedisCommand],
        on connection: RedisConnection,
        deadline: NIODeadline,
        _ wait: AnswerWait? = nil
    ) async throws -> RedisRequest.Results {
        var results = try await connection.run(RedisRequest(commands, sendsSources: false, deadline: deadline), wait)
        let lost = results.indices.filter { results[$0].isScriptLost && commands[$0].script != nil }
        guard !lost.isEmpty else { return results }
        let again = try await connection.run(
            RedisRequest(lost.map { commands[$0] }, sendsSources: true, deadline: deadline), wait)
        for (index, result) in zip(lost, again) { results[index] = result }
        return results
    }

    // MARK: Clusters

    /// Runs commands, and again where a cluster says.
    ///
    /// - Parameter attempt: runs commands on the server of an address, or of the configured one.
    private func run(
        _ commands: [RedisCommand],
        _ attempt: ([RedisCommand], RedisConfiguration.Address?) async throws -> RedisRequest.Results
    ) async throws -> RedisRequest.Results {
        let known = cluster.address(for: commands[0])
        var results = try await attempt(commands, known)
        note(results, from: known)
        guard results.contains(where: \.isRedirected) else { return results }
        // Who answered last.
        var answerers = Array(repeating: known, count: commands.count)
        for _ in 0..<Self.maxRedirections {
            var places: [RedisConfiguration.Address: [(index: Int, isOnce: Bool)]] = [:]
            for (index, result) in results.enumerated() {
                guard case .failure(let error) = result,
                    let redirection = Redirection(error, from: answerers[index] ?? configuration.address)
                else { continue }
                if !redirection.isOnce { cluster.note(redirection.address, slot: redirection.slot) }
                places[redirection.address, default: []].append((index, redirection.isOnce))
            }
            if places.isEmpty { break }
            for (address, group) in places {
                let sent = group.flatMap {
                    $0.isOnce ? [RedisCommand("ASKING"), commands[$0.index]] : [commands[$0.index]]
                }
                var answers = try await attempt(sent, address)[...]
                note(Array(answers), from: address)
                for (index, isOnce) in group {
                    if isOnce { _ = answers.popFirst() }
                    answerers[index] = address
                    if let answer = answers.popFirst() { results[index] = answer }
                }
            }
        }
        return results
    }

    /// After a failure of a server somebody else may have its slots.
    private func note(_ results: RedisRequest.Results, from address: RedisConfiguration.Address?) {
        if let address, results.contains(where: \.isUnreachable) { cluster.forget(address) }
    }
}

extension RedisClient: SteadyExecutor {
    func execute(_ command: RedisCommand, _ wait: AnswerWait) async throws -> RESPValue {
        try await pipeline([command], wait)[0].get()
    }
}

extension Result<RESPValue, RedisError> {
    fileprivate var isScriptLost: Bool {
        if case .failure(let error) = self { error.isServerError("NOSCRIPT") } else { false }
    }

    fileprivate var isRedirected: Bool {
        guard case .failure(let error) = self else { return false }
        return error.isServerError("MOVED") || error.isServerError("ASK")
    }

    fileprivate var isUnreachable: Bool {
        guard case .failure(let error) = self else { return false }
        return error.code != .server && error.isTransient && error.code != .queueFull
    }
}
