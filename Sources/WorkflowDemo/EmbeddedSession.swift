import CommandLineSupport
import Dramatiq
import DramatiqWorkflow
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

/// A broker and a worker within this process, for as long as something is done with them.
struct EmbeddedSession: Sendable {
    /// Long enough for whatever a demo waits for.
    private static let patience: Duration = .seconds(365 * 86_400)

    let broker: Broker
    private let transport = InMemoryTransport()
    private let concurrency: Int
    private let logger: Logger

    /// - Parameters:
    ///   - recorder: gets the events of all tasks and barriers.
    ///   - concurrency: how many tasks run at the same time.
    init(recorder: EventRecorder, concurrency: Int) throws {
        self.concurrency = concurrency
        logger = .recording(to: recorder)
        let retries = Retries(maxRetries: 3, minBackoff: .milliseconds(100), maxBackoff: .seconds(1))
        let store = ObservedStore(InMemoryRateLimiterBackend(), recorder)
        broker = Broker(
            transport: transport,
            middleware: [TaskObserver(recorder: recorder)]
                + (try Broker.defaultMiddleware.replacing(Retries.self, with: retries))
                + [WorkflowMiddleware(backend: store)],
            logger: logger
        )
    }

    /// Does something while a worker runs.
    ///
    /// - Parameter signals: end it early; the worker then shuts down in order.
    /// - Throws: what `body` throws, `CancellationError` after a signal.
    func run<Value: Sendable>(
        endingOn signals: [UnixSignal] = [],
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = ForegroundTask(body)
        let worker = Worker(broker, concurrency: concurrency, gracePeriod: .zero)
        var configuration = ServiceGroupConfiguration(
            services: [
                ServiceGroupConfiguration.ServiceConfiguration(service: worker),
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: task, successTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: signals,
            logger: logger
        )
        configuration.cancellationSignals = []
        // The group leaves them ignored. What is still to be done, such as printing, must not be without an end.
        defer { for signal in signals { Self.restore(signal) } }
        try await ServiceGroup(configuration: configuration).run()
        guard let result = task.result.withLock({ $0 }) else { throw CancellationError() }
        return try result.get()
    }

    private static func restore(_ unixSignal: UnixSignal) {
        signal(unixSignal.rawValue, SIG_DFL)
    }

    /// Waits until there is nothing left to run: every message is processed or a dead letter.
    ///
    /// - Throws: ``DemoFailure/tasksFailed(_:)`` if there are dead letters, `CancellationError`.
    func waitForTasks() async throws {
        try await transport.joinAll(timeout: Self.patience)
        let failures = transport.queueNames().flatMap { transport.deadLetters(queue: $0) }.map { letter in
            let task = (try? letter.message(decoder: broker.encoder)).map { "\($0)" } ?? "A message"
            return PrintableText.escape("\(task): \(letter.reason)")
        }
        guard failures.isEmpty else { throw DemoFailure.tasksFailed(failures) }
    }
}

/// What a program is there for, as a service beside those that it needs.
private final class ForegroundTask<Value: Sendable>: Service {
    let result = Mutex<Result<Value, any Error>?>(nil)
    private let body: @Sendable () async throws -> Value

    init(_ body: @escaping @Sendable () async throws -> Value) {
        self.body = body
    }

    func run() async throws {
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await cancelWhenGracefulShutdown(body))
        } catch {
            outcome = .failure(error)
        }
        result.withLock { $0 = outcome }
    }
}
