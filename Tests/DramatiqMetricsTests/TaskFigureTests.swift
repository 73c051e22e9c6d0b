import Dramatiq
import DramatiqMetrics
import MetricsTestKit
import TestSupport
import Testing

/// What is counted of tasks, whatever becomes of them.
@Suite(.timeLimit(.minutes(10))) struct TaskFigureTests {
    @Test func aSuccessIsCountedOnce() async throws {
        let stage = try Stage()
        let task = TaskActor("task") { try await Task.sleep(for: .milliseconds(20)) }
        try await stage.broker.declare(task)
        for _ in 0..<5 { try await task.send(to: stage.broker) }
        try await stage.work()
        let figures = stage.figures
        #expect(figures.count("dramatiq_messages_total", "default", "task") == 5)
        let durations = figures.values("dramatiq_message_duration_milliseconds", "default", "task")
        #expect(durations.count == 5)
        // In milliseconds: it has slept for so long at least.
        #expect(durations.allSatisfy { $0 >= 19 })
        for name in ["errors", "retries", "rejects"] { #expect(figures.labels("dramatiq_message_\(name)_total") == []) }
        for name in ["skips", "redeliveries", "dead_letters", "barriers_created", "barriers_released", "barriers_lost"]
        {
            #expect(figures.labels("swift_dramatiq_\(name)_total") == [])
        }
    }

    @Test func whatNeverHappenedIsZeroFromTheBeginning() async throws {
        let stage = try Stage()
        try await stage.broker.declare(TaskActor("task", queue: "images") {})
        for definition in MetricDefinition.dramatiq {
            let labels = ["images", "task"]
            let figures = stage.figures.factory
            let known =
                figures.counters(label: definition.name).map(\.dimensions)
                + figures.meters(label: definition.name).map(\.dimensions)
                + figures.recorders(label: definition.name).map(\.dimensions)
            #expect(known.map { $0.map(\.1) } == [labels], "\(definition.name)")
        }
    }

    @Test(arguments: [0, 1, 3]) func eachAttemptIsCounted(retries: Int) async throws {
        let stage = try Stage()
        let task = TaskActor("task", options: [.maxRetries(retries)]) { throw Failure() }
        try await stage.broker.declare(task)
        try await task.send(to: stage.broker)
        try await stage.work()
        let figures = stage.figures
        #expect(figures.count("dramatiq_messages_total", "default", "task") == retries + 1)
        #expect(figures.count("dramatiq_message_errors_total", "default", "task") == retries + 1)
        #expect(figures.count("dramatiq_message_retries_total", "default", "task") == retries)
        #expect(figures.count("dramatiq_message_rejects_total", "default", "task") == 1)
        #expect(figures.labels("swift_dramatiq_dead_letters_total") == [["default", "task", "retries"]])
    }

    @Test func anActorThatIsCancelledForItsTimeHasFailed() async throws {
        let stage = try Stage()
        let task = TaskActor("task", options: [.maxRetries(0), .timeLimit(.milliseconds(50))]) {
            try await Task.sleep(for: .seconds(3600))
        }
        try await stage.broker.declare(task)
        try await task.send(to: stage.broker)
        try await stage.work()
        #expect(stage.figures.count("dramatiq_messages_total", "default", "task") == 1)
        #expect(stage.figures.count("dramatiq_message_errors_total", "default", "task") == 1)
        #expect(
            stage.figures.values("dramatiq_message_duration_milliseconds", "default", "task").allSatisfy { $0 >= 49 })
    }

    @Test func whatGoesBackInAShutdownWasNoAttempt() async throws {
        let stage = try Stage()
        let started = Gate()
        let task = TaskActor("task") {
            started.open()
            try await Task.sleep(for: .seconds(3600))
        }
        try await stage.broker.declare(task)
        try await task.send(to: stage.broker)
        try await withWorker(Worker(stage.broker, gracePeriod: .zero)) { try await started.wait() }
        #expect(stage.transport.status(queue: "default").waiting == 1)
        #expect(stage.figures.labels("dramatiq_messages_total") == [])
        #expect(stage.figures.labels("dramatiq_message_errors_total") == [])
        #expect(stage.figures.gauge("dramatiq_messages_inprogress", "default", "task") == 0)
    }

    @Test func aSkipIsCounted() async throws {
        let stage = try Stage([Skipping()])
        let task = TaskActor("skipped") {}
        try await stage.broker.declare(task)
        try await task.send(to: stage.broker)
        try await stage.work()
        #expect(stage.figures.count("dramatiq_messages_total", "default", "skipped") == 1)
        #expect(stage.figures.count("swift_dramatiq_skips_total", "default", "skipped") == 1)
        #expect(stage.figures.labels("dramatiq_message_rejects_total") == [])
    }

    @Test func deadLettersAreCountedByTheKindOfFailure() async throws {
        let stage = try Stage([Declaring()])
        let (broker, transport) = (stage.broker, stage.transport)
        let task = TaskActor("task", options: [.maxRetries(0), .throws(Failure.self), .maxAge(.seconds(60))]) {
            (number: Int) in
            if number > 0 { throw Failure() }
        }
        try await broker.declare(task)
        try await broker.enqueue(task.message(1))
        var old = task.message(2)
        old.messageTimestamp = MessageTimestamp(milliseconds: 1)
        try await broker.enqueue(old)
        try await broker.enqueue(Message(queueName: "default", actorName: "task", args: ["no number"]))
        try await broker.enqueue(Message(queueName: "default", actorName: "nobody"))
        try await broker.enqueue(Message(queueName: "default", actorName: "task", args: [1], options: ["max_age": [1]]))
        try await broker.enqueue(Message(queueName: "default", actorName: "task", args: [0], options: ["fails": true]))
        try await transport.commit(Commit(sends: [Garbage.envelope]))
        try await stage.work()
        let kinds = stage.figures.labels("swift_dramatiq_dead_letters_total")
        #expect(
            kinds == [
                ["default", "task", "expected"], ["default", "task", "age"], ["default", "task", "arguments"],
                ["default", "(undeclared)", "unknown_actor"], ["default", "task", "option"],
                ["default", "task", "declared"], ["default", "(undeclared)", "unreadable"],
            ])
        #expect(stage.figures.count("dramatiq_message_rejects_total", "default", "task") == 5)
        #expect(stage.figures.count("dramatiq_message_rejects_total", "default", "(undeclared)") == 2)
        #expect(transport.status(queue: "default").deadLetters == 7)
    }

    /// Declares messages failed that have an option for that.
    private struct Declaring: BeforeAck {
        func beforeAck(_ context: inout MessageContext) async throws {
            if context.message.options.value("fails") != nil { context.fail("as it says") }
        }
    }

    /// A message that nobody can read.
    private struct Garbage: MessageEncoder {
        static let envelope = Envelope(Message(queueName: "default", actorName: "task"), encoder: Garbage())

        func encode(_ message: Message) throws -> [UInt8] { Array("{".utf8) }
        func decode(_ bytes: [UInt8]) throws -> Message { try JSONMessageEncoder().decode(bytes) }
    }

    @Test func redeliveriesAreCounted() async throws {
        let stage = try Stage()
        let task = TaskActor("task") {}
        try await stage.broker.declare(task)
        try await task.send(to: stage.broker)
        // Taken and never ended.
        let consumer = try await stage.transport.consumer(
            of: "default", ConsumerOptions(prefetch: 1, encoder: JSONMessageEncoder()))
        #expect(try await consumer.next(limit: 1).count == 1)
        await consumer.close()
        try await stage.work()
        #expect(stage.figures.count("swift_dramatiq_redeliveries_total", "default", "task") == 1)
        #expect(stage.figures.count("dramatiq_messages_total", "default", "task") == 1)
    }

    // MARK: Gauges

    @Test func whatRunsIsInProgress() async throws {
        let stage = try Stage()
        let gate = Gate()
        let task = TaskActor("task") { try await gate.wait() }
        try await stage.broker.declare(task)
        for _ in 0..<5 { try await task.send(to: stage.broker) }
        let gauge = { stage.figures.gauge("dramatiq_messages_inprogress", "default", "task") }
        try await withWorker(Worker(stage.broker, concurrency: 3)) {
            try await eventually { gauge() == 3 }
            gate.open()
            try await stage.transport.joinAll(timeout: .patience)
        }
        #expect(gauge() == 0)
    }

    @Test func theWorkersOfABrokerAreCountedTogether() async throws {
        let stage = try Stage()
        let gate = Gate()
        let task = TaskActor("task") { try await gate.wait() }
        try await stage.broker.declare(task)
        for _ in 0..<4 { try await task.send(to: stage.broker) }
        let gauge = { stage.figures.gauge("dramatiq_messages_inprogress", "default", "task") }
        try await withWorker(Worker(stage.broker, concurrency: 2, prefetch: 2)) {
            try await withWorker(Worker(stage.broker, concurrency: 2, prefetch: 2)) {
                try await eventually { gauge() == 4 }
                gate.open()
                try await stage.transport.joinAll(timeout: .patience)
            }
        }
        #expect(gauge() == 0)
    }

    @Test func whatIsDelayedIsCountedUntilItIsDue() async throws {
        let stage = try Stage()
        let task = TaskActor("task") { (_: String) in }
        try await stage.broker.declare(task)
        let gauge = { stage.figures.gauge("dramatiq_delayed_messages_inprogress", "default", $0) }
        for _ in 0..<3 { try await task.send("", to: stage.broker, delay: .seconds(3600)) }
        // One that is so large that it waits as it came.
        try await task.send(String(repeating: "x", count: 100_000), to: stage.broker, delay: .seconds(3600))
        try await stage.broker.enqueue(
            Message(queueName: "default", actorName: "nobody"), delay: .seconds(3600))
        try await withWorker(Worker(stage.broker)) {
            try await eventually { gauge("task") == 4 && gauge("(undeclared)") == 1 }
        }
        #expect(gauge("task") == 0)
        #expect(gauge("(undeclared)") == 0)
        // Back in the queue, and no retries of anything.
        #expect(stage.transport.status(queue: "default").delayed == 5)
        #expect(stage.figures.labels("dramatiq_message_retries_total") == [])
    }

    // MARK: Hostile messages

    @Test func messagesFromOutsideMakeNoLabels() async throws {
        let stage = try Stage()
        let task = TaskActor("task", options: [.maxRetries(1)]) { throw Failure() }
        try await stage.broker.declare(task)
        for number in 0..<200 {
            for message in [
                Message(queueName: "queue\(number)", actorName: "nobody\(number)"),
                Message(queueName: "queue\(number)", actorName: "task"),
                Message(queueName: "default", actorName: "nobody\(number)", options: ["retries": 1]),
                Message(queueName: "default", actorName: "nobody\(number)", options: ["retries": 1, "eta": 1]),
            ] {
                let envelope = Envelope(
                    Message(queueName: "default", actorName: "task"), encoder: Misplacing(message: message))
                try await stage.transport.commit(Commit(sends: [envelope]))
            }
        }
        try await withWorker(Worker(stage.broker)) {
            try await eventually { stage.transport.status(queue: "default").deadLetters >= 600 }
        }
        let factory = stage.figures.factory
        let dimensions =
            factory.counters.map(\.dimensions) + factory.meters.map(\.dimensions) + factory.recorders.map(\.dimensions)
        let values = Set(dimensions.flatMap { $0.map(\.1) })
        #expect(values.subtracting(["default", "task", "(undeclared)", "unknown_actor", "retries"]) == [])
        #expect(values.contains("(undeclared)"))
    }

    /// Writes another message than the one that it is given, as somebody else's program would.
    private struct Misplacing: MessageEncoder {
        let message: Message

        func encode(_ message: Message) throws -> [UInt8] { try JSONMessageEncoder().encode(self.message) }
        func decode(_ bytes: [UInt8]) throws -> Message { try JSONMessageEncoder().decode(bytes) }
    }
}
