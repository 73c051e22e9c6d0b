public import Dramatiq
public import DramatiqWorkflow
public import Logging
import Synchronization

/// A broker in memory with a worker and a clock of its own, for tests of actors, workflows and middleware.
///
///     @Test func anAlbumIsPublishedAfterItsImages() async throws {
///         let environment = try await TestEnvironment(resize, publish)
///         environment.fail(resize, times: 2)
///         try await Workflow(
///             Chain(Group(resize.message("a.png"), resize.message("b.png")), publish.message("summer")),
///             broker: environment.broker
///         ).run()
///         try await environment.run()
///         #expect(environment.succeeded == ["resize", "resize", "publish"])
///         #expect(environment.clock.now.sinceStart > .seconds(15))
///     }
///
/// Nothing is waited for: when there is nothing left to do but to wait, the clock jumps to the next delayed message, retry or
/// time limit. Messages go through the encoder and back, as over a server. With a concurrency of one, which is the default,
/// tasks run in the same order each time.
public final class TestEnvironment: Sendable {
    public let broker: Broker
    public let transport: InMemoryTransport
    /// By which messages are delayed, retried, too old, and cancelled.
    public let clock: TestClock
    /// Keeps the barriers of workflows, and what becomes of them.
    public let backend: InMemoryRateLimiterBackend
    /// How many tasks run at the same time.
    public let concurrency: Int
    private let record: AttemptRecord

    /// - Parameters:
    ///   - actors: are declared on the broker.
    ///   - middleware: that of the broker, beside what workflows need. Defaults to `Broker.defaultMiddleware`.
    ///   - encoder: turns messages into bytes and back.
    ///   - concurrency: how many tasks run at the same time.
    ///   - logger: gets what the broker and its worker have to say. Defaults to one that says nothing.
    ///   - workflows: makes the middleware for workflows with the environment's backend.
    /// - Throws: what declaring the actors throws.
    public convenience init(
        _ actors: any AnyTaskActor...,
        middleware: [any Middleware] = Broker.defaultMiddleware,
        encoder: any MessageEncoder = JSONMessageEncoder(),
        concurrency: Int = 1,
        logger: Logger = Logger(label: "dramatiq", factory: { _ in SwiftLogNoOpLogHandler() }),
        workflows: (InMemoryRateLimiterBackend) -> WorkflowMiddleware = { WorkflowMiddleware(backend: $0) }
    ) async throws {
        try await self.init(
            actors: actors, middleware: middleware, encoder: encoder, concurrency: concurrency, logger: logger,
            workflows: workflows)
    }

    /// As the other one, with the actors in a list.
    public init(
        actors: [any AnyTaskActor],
        middleware: [any Middleware] = Broker.defaultMiddleware,
        encoder: any MessageEncoder = JSONMessageEncoder(),
        concurrency: Int = 1,
        logger: Logger = Logger(label: "dramatiq", factory: { _ in SwiftLogNoOpLogHandler() }),
        workflows: (InMemoryRateLimiterBackend) -> WorkflowMiddleware = { WorkflowMiddleware(backend: $0) }
    ) async throws {
        let clock = TestClock()
        self.clock = clock
        self.concurrency = max(1, concurrency)
        transport = InMemoryTransport(fidelity: .bytes)
        backend = InMemoryRateLimiterBackend(now: { clock.instant })
        record = AttemptRecord(clock)
        broker = Broker(
            transport: transport, encoder: encoder, middleware: middleware + [workflows(backend), record],
            logger: logger, clock: clock)
        try await broker.declare(actors)
    }

    // MARK: Faults

    /// Has an actor throw instead of running, the next times that it would.
    ///
    /// - Parameters:
    ///   - actor: who fails.
    ///   - times: how often. Attempts that fail for another reason count, too.
    ///   - error: what it throws. Defaults to ``InjectedFailure``.
    public func fail(_ actor: any AnyTaskActor, times: Int = 1, throwing error: any Error = InjectedFailure()) {
        record.add(.fail(error), to: actor.name, times: times)
    }

    /// Has an actor begin only after a time by ``clock``, the next times that it runs. Its time limit counts from before that.
    ///
    /// - Parameters:
    ///   - actor: who is slow.
    ///   - duration: how much time passes before it begins.
    ///   - times: how often.
    public func delay(_ actor: any AnyTaskActor, by duration: Duration, times: Int = 1) {
        record.add(.delay(duration), to: actor.name, times: times)
    }

    // MARK: Working

    /// Works until nothing is left to do. The clock jumps to what waits for its time. Messages stay that are for queues of
    /// which no actor is declared, such as another program's, and those of paused queues.
    ///
    /// - Parameters:
    ///   - duration: how far the clock may go; it has gone that far in the end. What would be due later stays, and a task that
    ///     still sleeps by the clock goes back to its queue, as when a worker is shut down. Defaults to any.
    ///   - patience: how long to wait, by the machine's clock, for what doesn't end. Defaults to a minute.
    /// - Throws: ``TestEnvironmentError/Code/unfinished`` if the time is over, `CancellationError`.
    public func run(for duration: Duration? = nil, patience: Duration = .seconds(60)) async throws {
        let end = duration.map { clock.now.advanced(by: $0) }
        let worker = Worker(broker, concurrency: concurrency)
        try await worker.run { try await work(until: end, patience) }
    }

    private func work(until end: TestClock.Instant?, _ patience: Duration) async throws {
        let deadline = ContinuousClock.now + patience
        while true {
            switch try look() {
            case .busy:
                guard ContinuousClock.now < deadline else {
                    let unfinished = transport.unfinishedCount(queues: broker.queueNames)
                    throw TestEnvironmentError.unfinished(count: unfinished, running: record.running)
                }
                try await Task.sleep(for: .milliseconds(1))
            case .waiting(let next) where end.map { next <= $0 } ?? true:
                clock.advance(to: next)
            case .waiting, .done:
                if let end { clock.advance(to: end) }
                return
            }
        }
    }

    private enum Activity {
        /// Something is under way.
        case busy
        /// Nothing is, until the clock is moved.
        case waiting(until: TestClock.Instant)
        case done
    }

    /// Looks what there is to do. What begins or ends meanwhile makes it busy.
    private func look() throws -> Activity {
        let before = record.state
        let (sleeping, nextSleeper) = clock.sleeping
        var (taken, waiting) = (0, 0)
        var next = [nextSleeper, before.nextDeadline].compactMap(\.self).min()
        for queue in broker.queueNames {
            let status = transport.status(queue: queue)
            // What waits there waits for the test.
            if status.isPaused { continue }
            taken += status.inFlight
            waiting += status.waiting
            guard status.delayed > 0 else { continue }
            for message in transport.sample(queue: queue, limit: .max) {
                let options = try message.payload.message(decoder: broker.encoder).options
                guard let eta = options["eta"]?.intValue else { continue }
                next = min(next ?? clock.instant(milliseconds: eta), clock.instant(milliseconds: eta))
            }
        }
        guard record.state.changes == before.changes, !before.isSettling, before.running.isSubset(of: sleeping) else {
            return .busy
        }
        // Those that run sleep. Others don't begin if there is no place for them.
        let isFull = before.running.count >= concurrency
        guard isFull || waiting == 0 && taken == before.running.count else { return .busy }
        guard let next else { return .done }
        return next > clock.now ? .waiting(until: next) : .busy
    }

    // MARK: What happened

    /// What was sent, in order: by the test, by tasks, and by workflows that went on.
    public var enqueued: [EnqueuedMessage] { record.enqueued }

    /// The attempts at messages that have ended, in the order in which they did.
    public var attempts: [TaskAttempt] { record.attempts }

    /// The names of the actors that succeeded, in the order in which they did.
    public var succeeded: [String] {
        record.attempts.filter { $0.outcome == .succeeded }.map(\.message.actorName)
    }

    /// The messages that failed for good, of all queues.
    public var deadLetters: [DeadLetter] {
        transport.queueNames().flatMap { transport.deadLetters(queue: $0, limit: .max) }
    }
}
