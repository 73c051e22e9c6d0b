import Dramatiq
import DramatiqWorkflow
import Logging
import ServiceLifecycle

/// A worker as a service beside others: starts a workflow every second, and ends on SIGINT or SIGTERM without losing
/// what it runs.
@main
struct ServiceWorker {
    static func main() async throws {
        let logger = Logger(label: "example")
        let fetch = TaskActor("fetch", options: [.maxRetries(3), .minBackoff(.milliseconds(100))]) { (page: Int) in
            struct Unlucky: Error {}
            if Int.random(in: 0..<4) == 0 { throw Unlucky() }
            try await Task.sleep(for: .milliseconds(50))
        }
        let report = TaskActor("report") { (round: Int) in print("round \(round) is complete") }

        let broker = Broker(
            transport: InMemoryTransport(),
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(backend: InMemoryRateLimiterBackend(), onFailure: .proceed)
            ],
            logger: logger)
        try await broker.declare(fetch, report)

        let services = ServiceGroup(
            services: [
                Worker(broker, concurrency: 8, gracePeriod: .seconds(5)),
                Rounds(broker: broker, fetch: fetch, report: report),
            ],
            gracefulShutdownSignals: [.sigint, .sigterm],
            logger: logger)
        try await services.run()
    }
}

/// Starts the workflows.
struct Rounds: Service {
    let broker: Broker
    let fetch: TaskActor<Int, Void>
    let report: TaskActor<Int, Void>

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            var round = 0
            while !Task.isCancelled {
                round += 1
                let pages = (1...10).map { fetch.message($0) }
                try await Workflow(broker: broker) {
                    Chain {
                        Group { pages }
                        report.message(round)
                    }
                }.run()
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }
}
