import Dramatiq
import DramatiqMemcached
import DramatiqWorkflow
import TestSupport

/// A broker whose messages are in memory and whose barriers are in Memcached, and an actor that records what ran.
struct MemcachedStage {
    let transport = InMemoryTransport()
    let broker: Broker
    let log = RecordingLog()
    /// The names of the tasks that ran, in order.
    let ran = Recorder<String>()
    /// The task called "held" waits for it.
    let gate = Gate()
    let task: TaskActor<String, Void>

    init(_ client: MemcachedClient) async throws {
        broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(backend: MemcachedRateLimiterBackend(client))
            ],
            logger: log.logger)
        let (ran, gate) = (ran, gate)
        task = TaskActor("task") { name in
            if name == "held" { try await gate.wait() }
            _ = ran.add(name)
        }
        try await broker.declare(task)
    }

    /// A quick worker.
    var worker: Worker {
        Worker(
            broker, concurrency: 4,
            transitionRetries: TransitionRetryPolicy(
                attempts: 4, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(5)))
    }

    func start(_ components: any WorkflowComponent...) async throws {
        let root = components.count == 1 ? components[0] : Chain(children: components.map(\.node))
        try await Workflow(root, broker: broker).run()
    }
}
