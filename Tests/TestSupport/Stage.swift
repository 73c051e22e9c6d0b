import Dramatiq
import DramatiqWorkflow
import TestSupport

/// A broker with workflows in memory, and an actor that records what ran.
struct Stage {
    let transport: InMemoryTransport
    let backend: InMemoryRateLimiterBackend
    let broker: Broker
    let log: RecordingLog
    /// The names of the tasks that ran, in order.
    let ran = Recorder<String>()
    let task: TaskActor<String, Void>

    init(
        fidelity: InMemoryTransport.Fidelity = .bytes,
        backend: InMemoryRateLimiterBackend = InMemoryRateLimiterBackend(),
        storage: any CallbackStorage = InlineCallbackStorage(),
        barrierType: any BarrierProtocol.Type = AtMostOnceBarrier.self,
        onFailure: WorkflowFailurePolicy = .halt,
        middleware: [any Middleware] = Broker.defaultMiddleware,
        wrapping: (InMemoryTransport) -> any Transport = { $0 }
    ) async throws {
        let log = RecordingLog()
        let transport = InMemoryTransport(fidelity: fidelity)
        self.transport = transport
        self.backend = backend
        self.log = log
        broker = Broker(
            transport: wrapping(transport),
            middleware: middleware + [
                WorkflowMiddleware(
                    backend: backend, barrierType: barrierType, callbackStorage: storage, onFailure: onFailure)
            ],
            logger: log.logger)
        let ran = ran
        task = TaskActor("task") { name in _ = ran.add(name) }
        try await broker.declare(task)
    }

    /// A quick worker.
    var worker: Worker {
        Worker(
            broker, concurrency: 4,
            transitionRetries: TransitionRetryPolicy(
                attempts: 4, minimumBackoff: .milliseconds(1), maximumBackoff: .milliseconds(5)))
    }

    /// Runs workers until there is nothing left to do.
    func work() async throws {
        try await withWorker(worker) { try await transport.joinAll() }
    }

    /// Runs a workflow to its end.
    func run(_ components: any WorkflowComponent...) async throws {
        let root = components.count == 1 ? components[0] : Chain(children: components.map(\.node))
        try await Workflow(root, broker: broker).run()
        try await work()
    }
}
