public import Dramatiq
public import DramatiqWorkflow

/// A broker with workflows in memory, and an actor that records what ran.
public struct Stage: Sendable {
    public let transport: InMemoryTransport
    public let backend: InMemoryRateLimiterBackend
    public let broker: Broker
    public let log: RecordingLog
    /// The names of the tasks that ran, in order.
    public let ran: Recorder<String>
    public let task: TaskActor<String, Void>

    public init(
        fidelity: InMemoryTransport.Fidelity = .bytes,
        backend: InMemoryRateLimiterBackend = InMemoryRateLimiterBackend(),
        storage: any CallbackStorage = InlineCallbackStorage(),
        barriers: BarrierStyle = .atMostOnce,
        onFailure: WorkflowFailurePolicy = .halt,
        tracking: RunTracking = .enabled,
        middleware: [any Middleware] = Broker.defaultMiddleware,
        encoder: any MessageEncoder = JSONMessageEncoder(),
        wrapping: (InMemoryTransport) -> any Transport = { $0 }
    ) async throws {
        let transport = InMemoryTransport(fidelity: fidelity)
        let workflows = WorkflowMiddleware(
            backend: backend, barriers: barriers, callbackStorage: storage, onFailure: onFailure, tracking: tracking)
        try await self.init(
            transport, wrapping(transport), backend, middleware + [workflows], encoder, ran: Recorder())
    }

    private init(
        _ transport: InMemoryTransport,
        _ wrapped: any Transport,
        _ backend: InMemoryRateLimiterBackend,
        _ middleware: [any Middleware],
        _ encoder: any MessageEncoder,
        ran: Recorder<String>
    ) async throws {
        let log = RecordingLog()
        self.transport = transport
        self.backend = backend
        self.log = log
        self.ran = ran
        broker = Broker(transport: wrapped, encoder: encoder, middleware: middleware, logger: log.logger)
        task = TaskActor("task") { name in _ = ran.add(name) }
        try await broker.declare(task)
    }

    /// The same queues and barriers for programs with another callback storage.
    public func swapping(to storage: any CallbackStorage) async throws -> Stage {
        let workflows = WorkflowMiddleware(backend: backend, callbackStorage: storage)
        return try await Stage(
            transport, transport, backend, Broker.defaultMiddleware + [workflows], broker.encoder, ran: ran)
    }

    /// A quick worker.
    public var worker: Worker {
        Worker(
            broker, concurrency: 4,
            transitionRetries: TransitionRetryPolicy(
                attempts: 4, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(5)))
    }

    /// Runs workers until there is nothing left to do.
    public func work() async throws {
        try await withWorker(worker) { try await transport.joinAll(timeout: .patience) }
    }

    /// Runs a workflow to its end.
    public func run(_ components: any WorkflowComponent...) async throws {
        let root = components.count == 1 ? components[0] : Chain(children: components.map(\.node))
        try await Workflow(root, broker: broker).run()
        try await work()
    }
}
