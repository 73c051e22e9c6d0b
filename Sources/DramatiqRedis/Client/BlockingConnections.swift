import Logging
import NIOCore
import Synchronization

/// The connections for commands that block, one for each at a time. They are used again, and close after a while
/// without use.
final class BlockingConnections: Sendable {
    private struct State {
        /// By the address of their server.
        var idle: [RedisConfiguration.Address: [RedisConnection]] = [:]
        var all: [RedisConnection] = []
        var isClosed = false
    }

    private let connector: ChannelConnector
    private let group: any EventLoopGroup
    private let logger: Logger
    private let state = Mutex(State())

    init(connector: ChannelConnector, group: any EventLoopGroup, logger: Logger) {
        self.connector = connector
        self.group = group
        self.logger = logger
    }

    /// - Throws: ``RedisError/Code/queueFull``, ``RedisError/Code/clientClosed``, and what `body` throws.
    func withConnection<Result>(
        to address: RedisConfiguration.Address,
        _ body: (RedisConnection) async throws -> Result
    ) async throws -> Result {
        let connection = try take(address)
        defer { state.withLock { $0.idle[address, default: []].append(connection) } }
        return try await body(connection)
    }

    private func take(_ address: RedisConfiguration.Address) throws(RedisError) -> RedisConnection {
        let maximum = connector.configuration.maxBlockingConnections
        return try state.withLock { state throws(RedisError) in
            if state.isClosed { throw RedisError(.clientClosed, "The Redis client was shut down") }
            if let connection = state.idle[address]?.popLast() { return connection }
            guard state.all.count < maximum else {
                throw RedisError(.queueFull, "More than \(maximum) commands would block at a time")
            }
            let connection = RedisConnection(
                connector: connector.connecting(to: address), isBlocking: true, eventLoop: group.next(), logger: logger)
            state.all.append(connection)
            return connection
        }
    }

    /// From now on they close soon after they were used.
    func release() {
        for connection in state.withLock(\.all) { connection.release() }
    }

    /// Ends all of them for good and returns them.
    func close() -> [RedisConnection] {
        let connections = state.withLock { state in
            state.isClosed = true
            return state.all
        }
        for connection in connections { connection.close() }
        return connections
    }
}
