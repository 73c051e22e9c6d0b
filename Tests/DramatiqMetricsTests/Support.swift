import CoreMetrics
import Dramatiq
import DramatiqMetrics
import Logging
import MetricsTestKit
import TestSupport

/// What a middleware has counted.
struct Figures: Sendable {
    let factory = TestMetrics()

    /// A counter's value; 0 if there is none of these labels.
    func count(_ name: String, _ labels: String...) -> Int {
        factory.counters(label: name).filter { $0.dimensions.map(\.1) == labels }.map { Int($0.totalValue) }
            .reduce(0, +)
    }

    /// What a histogram has got.
    func values(_ name: String, _ labels: String...) -> [Double] {
        factory.recorders(label: name).filter { $0.dimensions.map(\.1) == labels }.flatMap(\.values)
    }

    /// A gauge's value; `nil` if it was never set.
    func gauge(_ name: String, _ labels: String...) -> Double? {
        factory.meters(label: name).first { $0.dimensions.map(\.1) == labels }?.lastValue
    }

    /// All labels that something was counted for.
    func labels(_ name: String) -> Set<[String]> {
        Set(factory.counters(label: name).filter { $0.totalValue > 0 }.map { $0.dimensions.map(\.1) })
    }

    func middleware(interval: Duration = .milliseconds(5), watchesQueues: Bool = false) -> MetricsMiddleware {
        MetricsMiddleware(factory: factory, interval: interval, watchesQueues: watchesQueues, caches: [])
    }
}

struct Failure: Error {}

/// Leaves the actors out that are called `skipped`.
struct Skipping: BeforeProcessMessage {
    func beforeProcessMessage(_ context: inout MessageContext) async throws {
        if context.actor.name == "skipped" { throw SkipMessage("not today") }
    }
}

/// A broker in memory whose messages are counted.
struct Stage: Sendable {
    let figures = Figures()
    let transport = InMemoryTransport(fidelity: .bytes)
    let log = RecordingLog()
    let broker: Broker

    init(
        _ more: [any Middleware] = [],
        retries: Retries = Retries(minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1)),
        interval: Duration = .milliseconds(5),
        watchesQueues: Bool = false
    ) throws {
        let middleware = try Broker.defaultMiddleware.replacing(Retries.self, with: retries)
        broker = Broker(
            transport: transport,
            middleware: middleware + [figures.middleware(interval: interval, watchesQueues: watchesQueues)] + more,
            logger: log.logger)
    }

    /// Works until everything that was sent is done.
    func work(concurrency: Int = 2) async throws {
        try await withWorker(Worker(broker, concurrency: concurrency)) {
            try await transport.joinAll(timeout: .patience)
        }
    }
}
