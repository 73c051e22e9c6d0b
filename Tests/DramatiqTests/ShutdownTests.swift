import Dramatiq
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct ShutdownTests {
    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()

    @Test func aGracefulShutdownFinishesWhatRunsAndReturnsTheRest() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let started = Recorder<Int>()
        let finished = Recorder<Int>()
        let gate = Gate()
        let actor = TaskActor("work") { (number: Int) in
            started.add(number)
            try await gate.wait()
            finished.add(number)
        }
        try await broker.declare(actor)
        for number in 0..<20 { try await actor.send(number, to: broker) }
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Worker(broker, concurrency: 2, prefetch: 10).run() }
                try await eventually { started.count == 2 }
                trigger.triggerGracefulShutdown()
                gate.open()
                try await group.waitForAll()
            }
        }
        #expect(started.values.sorted() == finished.values.sorted())
        #expect(transport.unfinishedCount(queues: ["default"]) == 20 - finished.count)
        // The rest is in its place and in its order, whichever two ran at first.
        let early = finished.values
        try await withWorker(Worker(broker, concurrency: 1)) { try await transport.join() }
        #expect(Array(finished.values.dropFirst(early.count)) == (0..<20).filter { !early.contains($0) })
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func whatOutlivesTheGracePeriodIsCancelledAndGoesBackWithoutARetry() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let runs = Recorder<JSONValue?>()
        let actor = TaskActor("endless") {
            guard runs.add(CurrentMessage.message?.options["retries"]) == 1 else { return }
            try await Task.sleep(for: .seconds(3600))
        }
        let withCurrent = Broker(transport: transport, middleware: Broker.defaultMiddleware + [CurrentMessage()])
        try await withCurrent.declare(actor)
        try await actor.send(to: broker)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Worker(withCurrent, gracePeriod: .milliseconds(150)).run() }
                try await eventually { runs.count == 1 }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(transport.unfinishedCount(queues: ["default"]) == 1)
        #expect(transport.deadLetters().isEmpty)
        try await withWorker(Worker(withCurrent)) { try await transport.join() }
        #expect(runs.values == [nil, nil])
    }

    @Test func anActorThatAsksForItIsCancelledWhenTheShutdownBegins() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let started = Recorder<String>()
        let cancelled = Recorder<String>()
        let wasNotified = Gate()
        func actor(_ name: String, _ options: [ActorOption], _ gate: Gate) -> TaskActor<Void> {
            TaskActor(name, options: options) {
                started.add(name)
                do {
                    try await gate.wait()
                } catch {
                    cancelled.add(name)
                    wasNotified.open()
                    throw error
                }
            }
        }
        let notified = actor("notified", [.notifyShutdown(true)], Gate())
        let patient = actor("patient", [], wasNotified)
        try await broker.declare(notified, patient)
        try await notified.send(to: broker)
        try await patient.send(to: broker)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Worker(broker, gracePeriod: .patience).run() }
                try await eventually { started.count == 2 }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(cancelled.values == ["notified"])
        #expect(transport.unfinishedCount(queues: ["default"]) == 1)
    }

    @Test func cancellingAWorkerLosesNothing() async throws {
        let broker = Broker(transport: transport, middleware: Broker.defaultMiddleware)
        let seed = TestSeed(1)
        var generator = seed.generator
        let runs = Recorder<Int>()
        let actor = TaskActor("work") { (number: Int, microseconds: Int) in
            try await Task.sleep(for: .microseconds(microseconds))
            runs.add(number)
        }
        try await broker.declare(actor)
        for number in 0..<2000 {
            try await actor.send(number, Int.random(in: 0...500, using: &generator), to: broker)
        }
        while runs.count < 2000 {
            let goal = min(2000, runs.count + Int.random(in: 1...100, using: &generator))
            try await withWorker(Worker(broker, concurrency: 4)) { try await eventually { runs.count >= goal } }
        }
        #expect(runs.values.sorted() == Array(0..<2000), "\(seed)")
        #expect(transport.unfinishedCount(queues: ["default"]) == 0)
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func delayedMessagesGoBackToTheirQueue() async throws {
        /// Tells when a worker puts a message aside.
        struct Witness: BeforeDelayMessage {
            let gate: Gate
            func beforeDelayMessage(_ message: Message, broker: Broker) async throws { gate.open() }
        }
        let gate = Gate()
        let broker = Broker(
            transport: transport, middleware: Broker.defaultMiddleware + [Witness(gate: gate)], logger: log.logger)
        let actor = TaskActor("a") {}
        try await broker.declare(actor)
        let sent = try await broker.enqueue(actor.message(), delay: .seconds(3600))
        try await withWorker(Worker(broker)) { try await gate.wait() }
        #expect(transport.unfinishedCount(queues: ["default"]) == 1)
        let consumer = try await transport.consumer(of: "default.DQ", prefetch: 1)
        let delivery = try #require(try await consumer.next(limit: 1).first)
        #expect(try delivery.message(decoder: broker.encoder) == sent)
        #expect(delivery.isRedelivered)
    }

    @Test func aWorkerCanRunForAsLongAsABodyDoes() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let runs = Recorder<Int>()
        let actor = TaskActor("count") { (number: Int) in _ = runs.add(number) }
        try await broker.declare(actor)
        for number in 1...5 { try await actor.send(number, to: broker) }
        let transport = transport
        let left = try await Worker(broker).run {
            try await transport.join()
            return transport.unfinishedCount(queues: ["default"])
        }
        #expect(left == 0)
        #expect(runs.values.sorted() == [1, 2, 3, 4, 5])
        // Either's error ends the other one.
        await #expect(throws: Failure.self) { try await Worker(broker).run { throw Failure() } }
        await #expect(throws: BrokerError.invalidQueueName("1")) {
            try await Worker(broker, queues: ["1"]).run { try await Task.sleep(for: .seconds(3600)) }
        }
    }

    private struct Failure: Error {}
}

/// Once a shutdown has begun no actor starts, whatever the tasks of the worker are about.
@Suite(.timeLimit(.minutes(10))) struct ShutdownStartTests {
    private let transport = InMemoryTransport(fidelity: .bytes)

    /// The same transport without what needs no waiting.
    private struct Plain: TransportWrapper {
        let base: any Transport
        var traits: TransportTraits {
            var traits = base.traits
            traits.isImmediate = false
            return traits
        }
        func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? { nil }
    }

    /// Ends the worker from within an actor, so that no other task has a part in it, and counts who starts after that.
    @Test(arguments: [true, false], [true, false])
    func noActorStartsAfterTheEndHasBegun(isForced: Bool, isPlain: Bool) async throws {
        let broker = Broker(transport: isPlain ? Plain(base: transport) : transport)
        let started = Recorder<Int>()
        let end = Mutex<(@Sendable () -> Void)?>(nil)
        let actor = TaskActor("work") { (number: Int) in
            started.add(number)
            if number == 10 { end.withLock(\.self)?() }
        }
        try await broker.declare(actor)
        try await broker.enqueue((0..<500).map { actor.message($0) })
        let worker = Worker(broker, concurrency: 1, prefetch: 500)
        if isForced {
            let canBeEnded = Gate()
            let task = Task {
                try await canBeEnded.wait()
                try await worker.run()
            }
            end.withLock { $0 = { task.cancel() } }
            canBeEnded.open()
            _ = await task.result
        } else {
            try await testGracefulShutdown { trigger in
                end.withLock { $0 = { trigger.triggerGracefulShutdown() } }
                try await worker.run()
            }
        }
        #expect(started.values == Array(0...10))
        // What was cancelled while it ran goes back as well.
        let done = transport.unfinishedCount(queues: ["default"]) == 489 ? 11 : 10
        end.withLock { $0 = nil }
        try await withWorker(Worker(broker, concurrency: 1)) { try await transport.join() }
        #expect(Array(started.values[11...]) == Array(done..<500))
    }

    /// A hook that takes long doesn't let its actor start late.
    @Test func noActorStartsAfterAHookDuringWhichTheEndBegan() async throws {
        struct Ending: BeforeProcessMessage {
            let end: @Sendable () -> Void
            func beforeProcessMessage(_ context: inout MessageContext) async throws { end() }
        }
        let started = Recorder<Int>()
        let actor = TaskActor("work") { _ = started.add(1) }
        try await testGracefulShutdown { trigger in
            let broker = Broker(transport: transport, middleware: [Ending { trigger.triggerGracefulShutdown() }])
            try await broker.declare(actor)
            try await actor.send(to: broker)
            try await Worker(broker).run()
        }
        #expect(started.count == 0)
        #expect(transport.unfinishedCount(queues: ["default"]) == 1)
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func aWorkerRunsOnce() async throws {
        let broker = Broker(transport: transport)
        let worker = Worker(broker)
        try await worker.run {
            await #expect(throws: BrokerError.workerRunTwice) { try await worker.run() }
            await #expect(throws: BrokerError.workerRunTwice) { try await worker.run {} }
        }
        await #expect(throws: BrokerError.workerRunTwice) { try await worker.run() }
        await #expect(throws: BrokerError.workerRunTwice) { try await worker.run {} }
    }
}

/// `before…` hooks run in the order of the list, `after…` hooks in the opposite one.
@Suite(.timeLimit(.minutes(10))) struct HookOrderTests {
    struct Noting: BeforeDeclareActor, AfterDeclareActor, AfterDeclareQueue, BeforeWorkerBoot, AfterWorkerBoot,
        BeforeWorkerShutdown, AfterWorkerShutdown
    {
        let name: String
        let notes: Recorder<String>
        func beforeDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws { notes.add("before actor \(name)") }
        func afterDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws { notes.add("after actor \(name)") }
        func afterDeclareQueue(_ queue: String, broker: Broker) throws { notes.add("after queue \(name)") }
        func beforeWorkerBoot(_ worker: Worker) async throws { notes.add("before boot \(name)") }
        func afterWorkerBoot(_ worker: Worker) async throws { notes.add("after boot \(name)") }
        func beforeWorkerShutdown(_ worker: Worker) async throws { notes.add("before shutdown \(name)") }
        func afterWorkerShutdown(_ worker: Worker) async throws { notes.add("after shutdown \(name)") }
    }

    @Test func afterHooksRunInTheOppositeOrder() async throws {
        let notes = Recorder<String>()
        let broker = Broker(
            transport: InMemoryTransport(),
            middleware: [Noting(name: "1", notes: notes), Noting(name: "2", notes: notes)])
        try await broker.declare(TaskActor("task") {})
        try await Worker(broker).run { try await eventually { notes.values.contains("after boot 1") } }
        #expect(
            notes.values == [
                "before actor 1", "before actor 2", "after queue 2", "after queue 1", "after actor 2", "after actor 1",
                "before boot 1", "before boot 2", "after boot 2", "after boot 1",
                "before shutdown 1", "before shutdown 2", "after shutdown 2", "after shutdown 1",
            ])
    }
}
