import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Logging
import RedisTestSupport
import TestSupport

/// A broker with workflows over a Redis server, and an actor that records what ran.
struct RedisStage {
    let redis: RedisClient
    let executor: any RedisExecutor
    let transport: RedisTransport
    /// Counters and barriers in the same server.
    let backend: RedisRateLimiterBackend
    let broker: Broker
    let log: RecordingLog
    /// The names of the tasks that ran, in order.
    let ran = Recorder<String>()
    let task: TaskActor<String, Void>

    init(
        _ server: RedisServer,
        namespace: String = "dramatiq",
        url: String? = nil,
        heartbeatTimeout: Duration = .seconds(60),
        deadLetterTTL: Duration = .seconds(7 * 86_400),
        delayedLimit: Int = 100_000,
        store: (any StateStore)? = nil,
        storage: any CallbackStorage = InlineCallbackStorage(),
        tracking: RunTracking = .enabled,
        middleware: [any Middleware] = [],
        wrapping: (RedisClient) -> any RedisExecutor = { $0 },
        storing: ((any RedisExecutor) -> any CallbackStorage)? = nil
    ) async throws {
        let log = RecordingLog()
        self.log = log
        redis = try RedisClient(url: url ?? server.url, logger: log.logger)
        executor = wrapping(redis)
        let configuration = RedisTransport.Configuration(
            namespace: namespace, heartbeatTimeout: heartbeatTimeout, deadLetterTTL: deadLetterTTL,
            delayedLimit: delayedLimit, sendPatience: .seconds(60))
        transport = RedisTransport(executor, configuration: configuration, logger: log.logger)
        backend = RedisRateLimiterBackend(executor)
        broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(
                    backend: store ?? backend, callbackStorage: storing?(executor) ?? storage, tracking: tracking)
            ] + middleware,
            logger: log.logger)
        let ran = ran
        task = TaskActor("task", options: [.minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(3))]) { name in
            _ = ran.add(name)
        }
        try await broker.declare(task)
    }

    /// A quick worker.
    var worker: Worker {
        Worker(
            broker, concurrency: 4,
            transitionRetries: TransitionRetryPolicy(
                attempts: 4, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(20)))
    }

    /// Takes messages that wait in the queue, and holds them.
    func take(_ count: Int = 1) async throws -> ([Delivery], any TransportConsumer) {
        let consumer = try await transport.consumer(of: "default", prefetch: count)
        var deliveries: [Delivery] = []
        while deliveries.count < count { deliveries += try await consumer.next(limit: count - deliveries.count) }
        return (deliveries, consumer)
    }

    /// Sends messages, each with its place as its argument, and takes them.
    func sendAndTake(_ count: Int) async throws -> ([Delivery], any TransportConsumer) {
        try await broker.enqueue((0..<count).map { task.message("\($0)") })
        return try await take(count)
    }

    /// Works until there is nothing left to do.
    func work(queue: String = "default") async throws {
        try await withWorker(worker) { try await transport.join(queue: queue, timeout: .patience) }
    }

    /// Runs a workflow to its end.
    func run(_ components: any WorkflowComponent...) async throws {
        let root = components.count == 1 ? components[0] : Chain(children: components.map(\.node))
        try await Workflow(root, broker: broker).run()
        try await work()
    }

    /// The names of all keys on the server, sorted.
    func keys() async throws -> [String] {
        try await redis.execute(RedisCommand("KEYS", "*")).array().map { try $0.string() }.sorted()
    }
}
