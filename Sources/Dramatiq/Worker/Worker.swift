import Logging
public import ServiceLifecycle
import Synchronization

/// Takes messages from a broker's queues and runs their actors.
///
///     let worker = Worker(broker, concurrency: 16)
///     try await ServiceGroup(services: [worker], logger: logger).run()
///
/// On graceful shutdown it takes no more messages, lets running actors finish, cancels those that outlive the grace
/// period, and returns what it holds to the queues: nothing is lost. Delivery is at least once; an actor may run again
/// after a crash.
public final class Worker: Service {
    public let broker: Broker
    /// How many messages are processed at the same time.
    public let concurrency: Int
    /// The queues to take from; `nil` for all that the broker knows or will know.
    public let queues: Set<String>?
    /// How many messages of each queue are held at most, those that are processed included.
    public let prefetch: Int
    /// How long running actors may go on once a shutdown has begun.
    public let gracePeriod: Duration
    /// How steps that fail after an actor ran are repeated.
    public let transitionRetries: TransitionRetryPolicy
    /// How many workers a message may take with it, after the first one, before it becomes a dead letter: at least one,
    /// or `nil` for any number. See ``Delivery/crashes``.
    public let maxCrashes: Int?
    /// How much memory messages may take that are decoded, in bytes.
    ///
    /// A message counts what it takes while it is processed: twelve times its bytes without compression. Beyond the budget
    /// messages wait compressed, and little more is taken. One always passes, however large: the largest that the encoder
    /// takes, for what that takes. Messages of up to 16 KiB are not counted.
    public let memoryBudget: Int

    /// Half a gigabyte: with a concurrency of 8 there is room for that many messages of 5 MB each, or for one of 32 MiB.
    public static let defaultMemoryBudget = 512 << 20

    let memory: MemoryBudget
    let unread: UnreadQueue
    let workQueue = WorkQueue()
    let delayQueue: DelayQueue
    let suspects = SuspectQueue()
    let shutdown = WorkerShutdown()
    let slots: [ProcessorSlot]
    let acknowledgements: AcknowledgementWindow
    /// Opens once a shutdown has returned what no processor had begun.
    let unbegunReturned = Latch()
    private let hasRun = Atomic(false)

    /// - Parameters:
    ///   - broker: whose queues and actors to work for.
    ///   - concurrency: the number of messages to process at the same time. Defaults to 8.
    ///   - queues: the queues to take from. Defaults to all that the broker knows or will know.
    ///   - prefetch: the most messages of each queue to hold. Defaults to twice the concurrency.
    ///   - gracePeriod: how long running actors may go on once a shutdown has begun. Defaults to 30 seconds.
    ///   - transitionRetries: how steps that fail after an actor ran are repeated. Defaults to eight attempts within
    ///     about 13 seconds.
    ///   - maxCrashes: the number of workers that a message may take with it, after the first one, before it becomes a
    ///     dead letter; any number if it is `nil`. Defaults to 5.
    ///   - memoryBudget: how much memory messages may take that are decoded, in bytes. Defaults to 512 MiB.
    public init(
        _ broker: Broker,
        concurrency: Int = 8,
        queues: Set<String>? = nil,
        prefetch: Int? = nil,
        gracePeriod: Duration = .seconds(30),
        transitionRetries: TransitionRetryPolicy = TransitionRetryPolicy(),
        maxCrashes: Int? = 5,
        memoryBudget: Int = Worker.defaultMemoryBudget
    ) {
        self.broker = broker
        delayQueue = DelayQueue(clock: broker.clock)
        self.concurrency = max(1, concurrency)
        self.queues = queues
        self.prefetch = max(1, prefetch ?? 2 * max(1, concurrency))
        self.gracePeriod = gracePeriod
        self.transitionRetries = transitionRetries
        self.maxCrashes = maxCrashes
        self.memoryBudget = max(1, memoryBudget)
        memory = MemoryBudget(limit: self.memoryBudget)
        unread = UnreadQueue(limit: self.memoryBudget / 16)
        acknowledgements = AcknowledgementWindow(limit: self.concurrency, promptLimit: self.prefetch)
        slots = (0..<self.concurrency).map { _ in ProcessorSlot(broker.chain) }
    }

    /// Works until a graceful shutdown or the task's cancellation. A worker runs once.
    ///
    /// Cancelling is a shutdown without a grace period: actors are cancelled and their messages go back to their
    /// queues. Returns when every actor has ended, so one that ignores its cancellation is waited for.
    ///
    /// An outage of a server is waited for, at the start as later.
    ///
    /// - Throws: ``BrokerError/Code/workerRunTwice`` if it runs already, or has run.
    ///   ``BrokerError/Code/invalidQueueName`` for one of the queues to take from. ``BrokerError/Code/middlewareTwice``.
    ///   ``BrokerError/Code/invalidTarget`` if an option of an actor or a setting of a middleware names an actor that is
    ///   not declared. What the transport throws when it declares one of the queues. What has to be mended
    ///   before the worker can do anything, such as a password or a permission; see ``Transport/verifyAccess(to:)``.
    public func run() async throws {
        try begin()
        try await runBegun()
    }

    /// Sees to it that the worker runs once.
    private func begin() throws {
        // First, so that a program can add what is missing and run the worker after all.
        try broker.requireTargets()
        guard !hasRun.exchange(true, ordering: .acquiringAndReleasing) else { throw BrokerError.workerRunTwice }
    }

    private func runBegun() async throws {
        try broker.checkMiddleware()
        for queue in (queues ?? []).sorted() { try await broker.declare(queue: queue) }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                // A task of its own, so that cancelling this one does not cut off settlements. It is always awaited here,
                // and begun only now, so that no end is missed that an actor brings about.
                try await Task { if try await self.becomeReady() { await self.work() } }.value
            } onGracefulShutdown: {
                self.shutDown(.draining)
            }
        } onCancel: {
            self.shutDown(.forced)
        }
    }

    /// Begins the end. Nothing is handed out any more from here on, whenever the worker's tasks come to see it.
    private func shutDown(_ phase: WorkerShutdown.Phase) {
        shutdown.advance(to: phase)
        workQueue.close()
        let deadline = ContinuousClock.now + (phase == .forced ? .zero : gracePeriod)
        for source in workQueue.sources { source.consumer.finish(by: deadline) }
    }

    /// Works for as long as a body runs, for programs that end when their work is done and for tests.
    ///
    ///     try await Worker(broker).run { try await transport.joinAll() }
    ///
    /// The body runs on the caller's actor. When it returns, the worker is cancelled: messages that it still has go back
    /// to their queues.
    ///
    /// - Returns: what the body returns.
    /// - Throws: what the body throws, or what ``run()`` throws, after which the body is cancelled. `CancellationError`
    ///   if a graceful shutdown ended the worker before the body.
    public func run<Result: Sendable>(
        isolation: isolated (any Actor)? = #isolation,
        while body: () async throws -> Result
    ) async throws -> Result {
        try begin()
        return try await withoutActuallyEscaping(body) { body in
            // It runs in a task of its own so that it can be cancelled. Its caller does nothing until that has ended.
            nonisolated(unsafe) let body = body
            return try await withThrowingTaskGroup(of: Result?.self, isolation: isolation) { group in
                group.addTask {
                    try await self.runBegun()
                    return nil
                }
                group.addTask { try await body() }
                // Whoever ends first ends the other one; the group waits for it.
                defer { group.cancelAll() }
                guard let result = try await group.next() ?? nil else { throw CancellationError() }
                return result
            }
        }
    }

    private func work() async {
        await notify("beforeWorkerBoot", broker.middleware) {
            try await ($0 as? any BeforeWorkerBoot)?.beforeWorkerBoot(self)
        }
        await withTaskGroup(of: Void.self) { helpers in
            helpers.addTask { await self.watch() }
            helpers.addTask { await self.settleUnfinished() }
            for case let companion as any WorkerCompanion in broker.middleware {
                helpers.addTask { await companion.accompany(self) }
            }
            await withTaskGroup(of: Void.self) { processors in
                processors.addTask { await self.runProcessors() }
                await take()
                await processors.waitForAll()
            }
            await acknowledgements.drain()
            helpers.cancelAll()
        }
        await returnHeld()
        await notify("afterWorkerShutdown", broker.middleware.reversed()) {
            try await ($0 as? any AfterWorkerShutdown)?.afterWorkerShutdown(self)
        }
    }

    /// How long what follows from a message may take once a shutdown's time is over: a server may say nothing. What is to
    /// be given back to the transport is given back all the same.
    private static let patience = Duration.seconds(3)

    private func runProcessors() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await withDiscardingTaskGroup { processors in
                    for slot in self.slots { processors.addTask { await self.runProcessor(slot) } }
                }
            }
            group.addTask {
                await self.shutdown.wait(for: .forced)
                try? await Task.sleep(for: Self.patience)
            }
            // Either all have ended, or they are out of time.
            await group.next()
            group.cancelAll()
        }
    }

    /// Takes messages until the shutdown begins.
    private func take() async {
        await withTaskGroup(of: Void.self) { takers in
            takers.addTask { await self.runConsumers() }
            takers.addTask { await self.runDelayQueue() }
            takers.addTask { await self.runSuspects() }
            takers.addTask { await self.runUnread() }
            takers.addTask { await self.watchPauses() }
            await notify("afterWorkerBoot", broker.middleware.reversed()) {
                try await ($0 as? any AfterWorkerBoot)?.afterWorkerBoot(self)
            }
            await shutdown.wait(for: .draining)
            takers.cancelAll()
        }
        await returnUnbegun()
        unbegunReturned.open()
        await notify("beforeWorkerShutdown", broker.middleware) {
            try await ($0 as? any BeforeWorkerShutdown)?.beforeWorkerShutdown(self)
        }
    }

    /// For how long what follows from messages may wait for others once a worker was cancelled.
    private static let patienceForHooks = Duration.seconds(1)

    /// Cancels what is past its deadline, and in a shutdown what shall not go on.
    private func watch() async {
        while !Task.isCancelled, shutdown.phase < .draining {
            let now = ContinuousClock.now
            for slot in slots { slot.interruptIfOverdue(broker.clock.moment) }
            await shutdown.wait(for: .draining, until: now + .milliseconds(100))
        }
        let end = ContinuousClock.now + gracePeriod
        var hooksEnd = end
        while !Task.isCancelled {
            let now = ContinuousClock.now
            if now >= end { shutdown.advance(to: .forced) }
            let isForced = shutdown.phase >= .forced
            // One that was forced from the beginning has no time of its own.
            if isForced { hooksEnd = min(hooksEnd, now + Self.patienceForHooks) }
            let isOver = now >= hooksEnd
            if isOver { shutdown.advance(to: .over) }
            for slot in slots {
                slot.interruptIfOverdue(broker.clock.moment)
                slot.interruptForShutdown(onlyNotified: !isForced)
                if isOver { slot.interruptHooks() }
            }
            // A processor may be between two messages, so even a forced shutdown looks again.
            let pause = now + .milliseconds(isForced ? 10 : 100)
            if isForced {
                try? await Task.sleep(until: pause, clock: .continuous)
            } else {
                await shutdown.wait(for: .forced, until: min(end, pause))
            }
        }
    }

    private func notify(
        _ hook: String,
        _ list: [any Middleware],
        _ call: @Sendable (any Middleware) async throws -> Void
    ) async {
        for middleware in list {
            do {
                try await call(middleware)
            } catch {
                broker.logger.error(
                    "Middleware threw",
                    metadata: ["middleware": "\(middleware.name)", "hook": "\(hook)", "error": "\(error)"]
                )
            }
        }
    }
}
