import BenchmarkSupport
import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Logging
import Synchronization

/// Whether and where a fleet keeps the results of its tasks.
enum KeptResults {
    case none, beside
    /// On a client of their own, so that each is a step of its own.
    case apart
}

/// A broker over a Redis server, whose commands are recorded on demand.
struct RedisFleet: Sendable {
    /// Does nothing, so that everything else is measured.
    let noop = TaskActor("noop") { (_: Int) in }

    let client: RedisClient
    private let resultClient: RedisClient?
    let executor: any RedisExecutor
    let transport: RedisTransport
    let broker: Broker

    init(
        _ server: LocalServer,
        middleware: [any Middleware] = [],
        storage: any CallbackStorage = InlineCallbackStorage(),
        encoder: any MessageEncoder = JSONMessageEncoder(),
        tracking: RunTracking = .enabled,
        results: KeptResults = .none,
        wrapping: (RedisClient) -> any RedisExecutor = { $0 }
    ) async throws {
        client = try RedisClient(url: server.url)
        executor = wrapping(client)
        resultClient = results == .apart ? try RedisClient(url: server.url) : nil
        let keeping = Results(backend: RedisResultBackend(resultClient ?? executor), storesResults: true)
        transport = RedisTransport(executor)
        broker = Broker(
            transport: transport, encoder: encoder,
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(
                    backend: RedisRateLimiterBackend(executor), callbackStorage: storage, tracking: tracking)
            ] + (results == .none ? [] : [keeping]) + middleware,
            logger: Logger(label: "benchmarks", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await broker.declare(noop)
    }

    func shutDown() async {
        await client.shutDown()
        await resultClient?.shutDown()
    }

    func flush() async throws {
        _ = try await client.execute(RedisCommand("FLUSHALL"))
    }

    /// Runs a worker around a body.
    ///
    /// - Parameter isBatched: whether the worker may have more than one message, so that it takes and settles many in
    ///   one step.
    func work<Result>(isBatched: Bool = true, _ body: () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (concurrency, prefetch) = isBatched ? (16, 2048) : (1, 1)
            let worker = Worker(broker, concurrency: concurrency, prefetch: prefetch)
            group.addTask { try await worker.run() }
            let result = try await body()
            group.cancelAll()
            try await group.waitForAll()
            return result
        }
    }

    func join() async throws {
        try await transport.join(timeout: .seconds(600))
    }
}

extension Session {
    /// What Redis does at best with the very commands that a piece of work made.
    ///
    /// - Parameters:
    ///   - name: what the result is called.
    ///   - work: how many units the body does.
    ///   - width: how many commands are sent before their answers are waited for.
    ///   - storage: what the workflows are kept in.
    ///   - setup: what comes before it; its commands are run again but not measured.
    func limit(
        named name: String = "redis alone",
        _ server: LocalServer,
        work: Int,
        width: Int = 1000,
        storage: any CallbackStorage = InlineCallbackStorage(),
        setup: (RedisFleet) async throws -> Void = { _ in },
        _ body: (RedisFleet) async throws -> Void
    ) async throws -> Contestant {
        let box = Mutex<Recording?>(nil)
        let fleet = try await RedisFleet(server, storage: storage) { client in
            let recording = Recording(client)
            box.withLock { $0 = recording }
            return recording
        }
        try await fleet.flush()
        try await setup(fleet)
        let before = box.withLock { $0?.take() } ?? []
        try await body(fleet)
        let commands = box.withLock { $0?.take() } ?? []
        let client = try RedisClient(url: server.url)
        let replay = Replay(client: client, setup: before, commands: commands, work: work, width: width)
        await fleet.client.shutDown()
        return Contestant(name) { try await replay() }
    }
}
