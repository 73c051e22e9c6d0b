import BenchmarkSupport
import Dramatiq
import DramatiqWorkflow
import Logging

/// A broker in memory with a worker at work, for as long as a body needs it.
struct Embedded: Sendable {
    /// Does nothing, so that everything else is measured.
    let noop = TaskActor("noop") { (_: Int) in }

    let transport: InMemoryTransport
    let broker: Broker

    private init(_ fidelity: InMemoryTransport.Fidelity, _ middleware: [any Middleware]) {
        transport = InMemoryTransport(fidelity: fidelity)
        broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: InMemoryRateLimiterBackend())]
                + middleware,
            logger: Logger(label: "benchmarks", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    /// Runs a worker with the default settings around a body.
    static func run(
        _ fidelity: InMemoryTransport.Fidelity = .values,
        middleware: [any Middleware] = [],
        _ body: (Embedded) async throws -> Void
    ) async throws {
        let embedded = Embedded(fidelity, middleware)
        try await embedded.broker.declare(embedded.noop)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Worker(embedded.broker).run() }
            try await body(embedded)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Waits until everything that was sent is done.
    func join() async throws {
        try await transport.join(timeout: .seconds(600))
    }

    /// A round that sends tasks one by one while the worker takes them, until the last one is done.
    func tasks(_ count: Int) -> () async throws -> Measurement {
        {
            try await Measurement.of(work: Double(count)) {
                for number in 0..<count { try await noop.send(number, to: broker) }
                try await join()
            }
        }
    }

    /// A round that runs a workflow a number of times, one after the other, each until its last task is done.
    ///
    /// - Parameter work: how many tasks of one workflow are counted.
    func workflow(
        work: Int,
        times: Int = 1,
        _ root: @escaping () -> any WorkflowComponent
    ) -> () async throws -> Measurement {
        {
            let workflows = (0..<times).map { _ in Workflow(root(), broker: broker) }
            return try await Measurement.of(work: Double(work * times)) {
                for workflow in workflows {
                    try await workflow.run()
                    try await join()
                }
            }
        }
    }
}
