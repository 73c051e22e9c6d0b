import Dramatiq
import DramatiqWorkflow
import Synchronization
import TestSupport
import Testing

/// Whatever can still arrive at a barrier keeps it alive, by a clock of the test's own.
@Suite(.timeLimit(.minutes(10))) struct LifetimeTests {
    struct Failure: Error {}

    private static let day = Duration.seconds(86_400)
    private let transport = InMemoryTransport()
    private let clock = Clock()
    private let ran = Recorder<String>()
    /// The actors whose messages are settled.
    private let settled = Recorder<String>()
    /// Holds something once the fragile task is mended.
    private let mended = Recorder<Bool>()

    private struct Settled: AfterAck {
        let actors: Recorder<String>
        func afterAck(_ context: MessageContext) { actors.add(context.actor.name) }
    }

    private final class Clock: Sendable {
        private let offset = Mutex(Duration.zero)
        var now: ContinuousClock.Instant { ContinuousClock.now + offset.withLock { $0 } }
        func advance(by duration: Duration) { offset.withLock { $0 += duration } }
    }

    private var backend: InMemoryRateLimiterBackend { InMemoryRateLimiterBackend(now: { clock.now }) }

    private func broker(
        _ backend: any StateStore,
        storage: any CallbackStorage = InlineCallbackStorage(),
        retries: Retries = Retries(maxRetries: 0)
    ) throws -> Broker {
        let workflows = WorkflowMiddleware(backend: backend, callbackStorage: storage, barrierTTL: .seconds(1))
        let middleware = try Broker.defaultMiddleware.replacing(Retries.self, with: retries)
        return Broker(transport: transport, middleware: middleware + [workflows, Settled(actors: settled)])
    }

    private var task: TaskActor<String, Void> { TaskActor("task") { (name: String) in _ = ran.add(name) } }
    private var fragile: TaskActor<String, Void> {
        TaskActor("fragile") { (name: String) in
            guard mended.count > 0 else { throw Failure() }
            ran.add(name)
        }
    }

    private func work(_ broker: Broker) async throws {
        try await withWorker(Worker(broker, concurrency: 2)) { try await transport.joinAll() }
    }

    @Test func aLongQueueKeepsItsBarriers() async throws {
        let backend = self.backend
        let broker = try broker(backend)
        try await broker.declare(task)
        try await Workflow(
            Chain(Group(Chain(task.message("a"), task.message("b")), task.message("c")), task.message("d")),
            broker: broker
        ).run()
        clock.advance(by: Self.day * 13)
        try await work(broker)
        #expect(ran.values.sorted() == ["a", "b", "c", "d"])
        #expect(ran.values.last == "d")
        #expect(transport.deadLetters().isEmpty)
    }

    /// The steps of an inner chain keep what is around it, however many there are.
    @Test func aChainOfLongWaitsKeepsWhatIsAroundIt() async throws {
        let backend = self.backend
        let broker = try broker(backend)
        let step = TaskActor("step") { (number: Int) in
            ran.add("\(number)")
            clock.advance(by: Self.day * 13)
        }
        try await broker.declare(step, task)
        let steps = (0..<10).map { step.message($0).node }
        try await Workflow(Chain(Group(Chain(children: steps)), task.message("end")), broker: broker).run()
        try await work(broker)
        #expect(ran.values == (0..<10).map { "\($0)" } + ["end"])
    }

    @Test(arguments: [true, false]) func aDelayKeepsAllBarriersOfItsTask(isStart: Bool) async throws {
        let backend = self.backend
        let broker = try broker(backend)
        try await broker.declare(task)
        let late = WithDelay(task.message("late"), delay: Self.day * 400)
        let inner: any WorkflowComponent = isStart ? late : Chain(task.message("early"), late)
        try await Workflow(Chain(Group(inner, task.message("other")), task.message("end")), broker: broker).run()
        try await withWorker(Worker(broker)) {
            try await eventually { settled.count == (isStart ? 1 : 2) }
        }
        // The other member's arrival doesn't shorten what the delayed one needs.
        clock.advance(by: Self.day * 410)
        try await moveDelayed(broker)
        try await work(broker)
        #expect(ran.values.suffix(2) == ["late", "end"])
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func aRetryKeepsAllBarriersOfItsTask() async throws {
        let backend = self.backend
        let week = Duration.seconds(7 * 86_400)
        let broker = try broker(backend, retries: Retries(maxRetries: 20, minBackoff: week, maxBackoff: week))
        try await broker.declare(task, fragile)
        try await Workflow(
            Chain(Group(fragile.message("late"), task.message("other")), task.message("end")), broker: broker
        )
        .run()
        // Eight attempts, each as late as a retry may wait in its delay (half a week at least) and its queue.
        for attempt in 1...8 {
            if attempt == 8 { mended.add(true) }
            try await withWorker(Worker(broker)) {
                try await eventually { settled.values.filter { $0 == "fragile" }.count == attempt }
            }
            guard attempt < 8 else { break }
            clock.advance(by: Self.day * 17)
            try await moveDelayed(broker)
        }
        try await work(broker)
        #expect(ran.values == ["other", "late", "end"])
        #expect(transport.deadLetters().isEmpty)
    }

    /// Moves what is delayed to its queue, as if its time had come.
    private func moveDelayed(_ broker: Broker) async throws {
        let delayed = try await transport.consumer(of: "default.DQ", prefetch: 1)
        for delivery in try await delayed.next(limit: 10) {
            var message = try delivery.message(decoder: broker.encoder)
            message.queueName = "default"
            message.options["eta"] = nil
            try await transport.end(delivery, sends: [Envelope(message, encoder: broker.encoder)])
        }
        await delayed.close()
    }

    /// With what is put aside, if the run has failed as a whole.
    @Test(arguments: [WorkflowFailurePolicy.halt, .failFast])
    func aDeadLetterKeepsAllBarriersOfItsTask(policy: WorkflowFailurePolicy) async throws {
        let backend = self.backend
        let broker = try broker(backend)
        try await broker.declare(task, fragile)
        try await Workflow(
            Chain(Group(fragile.message("mended"), task.message("other")), task.message("end")),
            failurePolicy: policy, broker: broker
        ).run()
        try await work(broker)
        #expect(ran.values == ["other"] || policy == .failFast && ran.values == [])
        clock.advance(by: Self.day * 300)
        mended.add(true)
        try transport.requeueDeadLetter(try #require(transport.deadLetters().first).id)
        clock.advance(by: Self.day * 13)
        try await work(broker)
        #expect(ran.values.sorted() == ["end", "mended", "other"] && ran.values.last == "end")
        #expect(transport.deadLetters().isEmpty)
    }

    /// A dead letter of a worker that has no such actor keeps its barriers as well.
    @Test func aMessageWithoutAnActorKeepsItsBarriers() async throws {
        let backend = self.backend
        let ignorant = try broker(backend)
        let broker = try broker(backend)
        try await broker.declare(task)
        try await Workflow(Chain(task.message("a"), task.message("b")), broker: broker).run()
        try await ignorant.declare(queue: "default")
        try await work(ignorant)
        #expect(transport.deadLetters().count == 1)
        clock.advance(by: Self.day * 200)
        try transport.requeueDeadLetter(try #require(transport.deadLetters().first).id)
        try await work(broker)
        #expect(ran.values == ["a", "b"])
    }

    // MARK: What is stored

    private struct Storage: CallbackStorage {
        let waits: Recorder<Duration>
        func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
            try await InlineCallbackStorage().store(callbacks)
        }
        func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
            try await InlineCallbackStorage().retrieve(reference)
        }
        func refresh(_ reference: JSONValue, for wait: Duration) async throws { waits.add(wait) }
    }

    @Test func storagesAreToldHowLongMessagesWait() async throws {
        let backend = self.backend
        let waits = Recorder<Duration>()
        let broker = try broker(backend, storage: Storage(waits: waits))
        try await broker.declare(task, fragile)
        try await Workflow(
            Chain(WithDelay(task.message("a"), delay: .milliseconds(20)), fragile.message("b"), task.message("c")),
            broker: broker
        ).run()
        #expect(waits.values == [.milliseconds(20)])
        try await work(broker)
        #expect(waits.values == [.milliseconds(20), transport.traits.deadLetterTTL])
    }

    /// A step that can't be kept for as long as a message waits is not begun.
    @Test func aDelayThatCanNotBeKeptDoesNotStart() async throws {
        struct Refusing: CallbackStorage {
            func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue { [] }
            func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] { [] }
            func refresh(_ reference: JSONValue, for wait: Duration) async throws { throw Failure() }
        }
        let broker = try broker(backend, storage: Refusing())
        let workflow = Workflow(
            Chain(WithDelay(task.message("a"), delay: .seconds(20)), task.message("b")), broker: broker)
        await #expect(throws: Failure.self) { try await workflow.run() }
        #expect(transport.unfinishedCount(queues: ["default"]) == 0)
    }

    /// If nothing can be renewed, the message is put aside all the same.
    @Test func aFailureIsNotLostForAStorageThatFails() async throws {
        struct Failing: CallbackStorage {
            func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
                try await InlineCallbackStorage().store(callbacks)
            }
            func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] { throw Failure() }
        }
        let broker = try broker(backend, storage: Failing())
        try await broker.declare(task, fragile)
        try await Workflow(Chain(fragile.message("a"), task.message("b")), broker: broker).run()
        try await work(broker)
        #expect(transport.deadLetters().map(\.reason) == ["Failure()"])
    }
}
