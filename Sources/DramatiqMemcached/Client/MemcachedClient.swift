import Dramatiq
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// Talks to Memcached servers; each key belongs to one of them, chosen as Python's pylibmc chooses.
///
///     let memcached = try MemcachedClient(servers: ["127.0.0.1:11211"])
///     let backend = MemcachedRateLimiterBackend(memcached)
///
/// There is one connection to each server, made when a command needs it and made again when it is lost. What tasks send
/// at the same time goes out in one write, and no command waits for another's answer.
///
/// After a command was sent and its connection lost, nobody knows whether it was run
/// (``MemcachedError/mayHaveTakenEffect``); the client never repeats it by itself.
///
/// A server that is gone is never replaced by another one, as libmemcached can be told to do: the other one wouldn't
/// know the keys. Needs Memcached 1.6 or later.
///
/// Add it to a service group or not; it works without as well.
public final class MemcachedClient: Service {
    public let configuration: MemcachedConfiguration
    private let servers: [ServerConnection]
    private let eventLoop: any EventLoop

    /// A client. It doesn't connect yet.
    ///
    /// - Parameters:
    ///   - configuration: the servers, and how long to wait for them.
    ///   - logger: gets what has no caller to be thrown to. Defaults to one with the label `dramatiq.memcached`.
    /// - Throws: ``MemcachedError/Code/invalidConfiguration`` for no servers.
    public init(
        _ configuration: MemcachedConfiguration,
        logger: Logger = Logger(label: "dramatiq.memcached")
    ) throws(MemcachedError) {
        guard !configuration.servers.isEmpty else {
            throw MemcachedError(.invalidConfiguration, "There must be at least one server")
        }
        self.configuration = configuration
        let logger = logger.printable
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        self.eventLoop = eventLoop
        servers = configuration.servers.map { ServerConnection($0, configuration, eventLoop, logger) }
    }

    /// A client for servers; see ``MemcachedConfiguration/init(servers:)-([String])``.
    ///
    /// - Throws: ``MemcachedError/Code/invalidConfiguration``.
    public convenience init(
        servers: [String],
        logger: Logger = Logger(label: "dramatiq.memcached")
    ) throws(MemcachedError) {
        try self.init(MemcachedConfiguration(servers: servers), logger: logger)
    }

    deinit {
        for server in servers { _ = server.close() }
    }

    /// Waits until the task is cancelled or the service group shuts down. An outage of a server doesn't end it.
    ///
    /// Commands work before and after that as well, so it doesn't matter in which order a service group ends its
    /// services; ``shutDown()`` ends the connections for good.
    ///
    /// - Throws: nothing.
    public func run() async throws {
        try? await gracefulShutdown()
    }

    /// Closes the connections. Commands that have no answer yet, and those that come later, fail with
    /// ``MemcachedError/Code/clientClosed``.
    public func shutDown() async {
        for server in servers { try? await server.close().get() }
    }

    /// Runs a command on the server that has its key.
    ///
    /// - Throws: ``MemcachedError``, `CancellationError`.
    func execute(_ command: MetaCommand) async throws -> MetaReply {
        try await execute([command])[0]
    }

    /// Runs commands, each on the server that has its key; those of one server in their order.
    ///
    /// - Throws: as ``execute(_:)``, the first error of one of them.
    func execute(_ commands: [MetaCommand]) async throws -> [MetaReply] {
        for command in commands { try command.check() }
        try Task.checkCancellation()
        if servers.count == 1 { return try await answers(servers[0].send(commands)) }
        let places = commands.map { ServerHash.place(of: $0.key, among: servers.count) }
        var replies: [(index: Int, reply: EventLoopFuture<MetaReply>)] = []
        for place in Set(places) {
            let indices = commands.indices.filter { places[$0] == place }
            replies += zip(indices, servers[place].send(indices.map { commands[$0] })).map { ($0, $1) }
        }
        return try await answers(replies.sorted { $0.index < $1.index }.map(\.reply))
    }

    private func answers(_ replies: [EventLoopFuture<MetaReply>]) async throws -> [MetaReply] {
        let promise = eventLoop.makePromise(of: [MetaReply].self)
        EventLoopFuture.whenAllSucceed(replies, on: eventLoop).cascade(to: promise)
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            // The answers still come, and are dropped.
            promise.fail(CancellationError())
        }
    }

    /// Makes sure that all servers are there and understand what they are told.
    ///
    /// - Throws: ``MemcachedError``.
    func verifyServers() async throws {
        try Task.checkCancellation()
        for (server, reply) in zip(servers, try await answers(servers.flatMap { $0.send([.nothing]) })) {
            guard case .nothing = reply else { throw MemcachedError.old(server: "\(server.address)") }
        }
    }
}
