import TestSupport
import Testing

@testable import Dramatiq

/// Actors that get messages by an option: found, or missed before anything has happened.
@Suite(.timeLimit(.minutes(10))) struct CallbackTargetTests {
    private struct Failure: Error {}

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let ran = Recorder<String>()

    private func broker(_ middleware: [any Middleware] = Broker.defaultMiddleware) -> Broker {
        Broker(transport: transport, middleware: middleware, logger: RecordingLog().logger)
    }

    private func task(_ name: String = "task", _ options: [ActorOption] = []) -> TaskActor<Bool, Int> {
        TaskActor(name, options: [.maxRetries(0)] + options) { fails in
            ran.add(name)
            if fails { throw Failure() }
            return 7
        }
    }

    private static let options: [(name: String, option: @Sendable (String, String?) -> ActorOption)] = [
        ("on_success", { .onSuccess($0, queue: $1) }),
        ("on_failure", { .onFailure($0, queue: $1) }),
        ("on_retry_exhausted", { .onRetryExhausted($0, queue: $1) }),
    ]

    @Test func anActorOfAnotherProgramIsAddressedWithItsQueue() async throws {
        let broker = broker()
        let task = task("task", Self.options.map { $0.option("tell", "python") })
        try await broker.declare(task)
        try await withWorker(Worker(broker, concurrency: 1)) {
            try await task.send(false, to: broker)
            try await task.send(true, to: broker)
            try await transport.join()
        }
        let consumer = try await transport.consumer(of: "python", prefetch: 10)
        let sent = try await consumer.next(limit: 10).map { try $0.message(decoder: JSONMessageEncoder()) }
        #expect(sent.map(\.actorName) == ["tell", "tell", "tell"])
        #expect(sent.allSatisfy { $0.queueName == "python" && $0.options.isOnlyTransport })
        let figures: JSONValue = ["retries": 0, "max_retries": 0]
        let failure: JSONValue = ["type": "Failure", "message": "Failure()"]
        #expect(sent.map { $0.args.elements.last } == [7, figures, failure])
    }

    @Test func aNameIsOnTheWireWhatItIsInPython() {
        #expect(ActorAddress("tell").jsonValue == "tell")
        let elsewhere: JSONValue = ["actor_name": "tell", "queue_name": "python"]
        #expect(ActorAddress("tell", queue: "python").jsonValue == elsewhere)
        #expect(ActorAddress(elsewhere) == ActorAddress("tell", queue: "python"))
        for value in [nil, 5, [], [:], ["actor_name": "tell"], ["actor_name": 1, "queue_name": "q"]] as [JSONValue] {
            #expect(ActorAddress(value) == nil)
        }
    }

    @Test func aWorkerDoesNotStartIfAnActorNamesNobody() async throws {
        for (name, option) in Self.options {
            let broker = broker()
            let worker = Worker(broker)
            try await broker.declare(task("task", [option("nobody", nil)]))
            try await task("task", [option("nobody", nil)]).send(true, to: broker)
            let error = await #expect(throws: BrokerError.self) { try await worker.run() }
            let text = "\(try #require(error))"
            #expect(text.contains("'task'") && text.contains(name) && text.contains("'nobody'"))
            #expect(ran.values.isEmpty)
        }
    }

    @Test func actorsCanBeDeclaredInAnyOrderBeforeAWorkerStarts() async throws {
        let broker = broker()
        try await broker.declare(task("first", [.onSuccess("second")]))
        try await broker.declare(TaskActor("second") { (_: JSONValue, _: Int) in _ = ran.add("second") })
        try await withWorker(Worker(broker)) {
            try await task("first").send(false, to: broker)
            try await transport.join()
        }
        #expect(ran.values == ["first", "second"])
    }

    @Test func afterwardsAnActorThatNamesNobodyIsNotDeclared() async throws {
        let broker = broker()
        let first = task()
        try await broker.declare(first)
        try await withWorker(Worker(broker)) {
            try await first.send(false, to: broker)
            try await transport.join()
            let error = await #expect(throws: BrokerError.self) {
                try await broker.declare(task("late", [.onFailure("nobody")]))
            }
            #expect("\(try #require(error))".contains("'late'"))
            #expect(broker.actor(named: "late") == nil)
            // Those that are declared together may name each other.
            try await broker.declare(task("left", [.onFailure("right")]), task("right", [.onFailure("left")]))
        }
    }

    @Test func anOptionThatIsNoAddressIsRefusedWhenTheActorIsDeclared() async throws {
        let broker = broker()
        for value in [5, ["tell"], ["actor_name": "tell"]] as [JSONValue] {
            let error = await #expect(throws: BrokerError.self) {
                try await broker.declare(task("task", [.custom("on_failure", value)]))
            }
            #expect("\(try #require(error))".contains("on_failure"))
        }
        await #expect(throws: BrokerError.self) {
            try await broker.declare(task("task", [.onFailure("tell", queue: "no queue")]))
            try await Worker(broker).run()
        }
    }

    @Test func aMessageThatNamesNobodyIsKeptBeforeItsActorRuns() async throws {
        let broker = broker()
        let task = task()
        try await broker.declare(task)
        try await withWorker(Worker(broker)) {
            for (name, _) in Self.options {
                let message = task.messageWithOptions(false, options: MessageOptions(JSONObject([(name, "nobody")])))
                try await broker.enqueue(message)
                try await transport.join()
                let letter = try #require(transport.deadLetters().last)
                #expect(try letter.message().messageID == message.messageID)
                #expect(letter.reason.hasPrefix("The option \(name) of message \(message.messageID) is \"nobody\": "))
                #expect(letter.reason.contains("No actor named 'nobody'"))
            }
        }
        #expect(ran.values.isEmpty)
        #expect(transport.deadLetters().count == 3)
    }

    @Test func aMessagesOwnTargetCanBeAnotherProgramsActor() async throws {
        let broker = broker()
        let task = task()
        try await broker.declare(task)
        let address = ActorAddress("tell", queue: "python").jsonValue
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(task.messageWithOptions(false, options: ["on_success": address]))
            try await transport.join()
        }
        #expect(ran.values == ["task"])
        #expect(transport.unfinishedCount(queues: ["python"]) == 1)
    }

    /// A message that was left out has not succeeded.
    @Test func whatDidNotRunHasNotSucceeded() async throws {
        struct Fails: BeforeProcessMessage {
            func beforeProcessMessage(_ context: inout MessageContext) async throws { context.fail("no") }
        }
        let broker = broker(Broker.defaultMiddleware + [Fails()])
        let task = task("task", [.onSuccess("tell", queue: "python")])
        try await broker.declare(task)
        try await withWorker(Worker(broker)) {
            try await task.send(false, to: broker)
            try await transport.join()
        }
        #expect(transport.deadLetters().count == 1)
        #expect(transport.unfinishedCount(queues: ["python"]) == 0)
    }

    /// Middleware of programs can name actors, too.
    @Test func targetsOfAnyMiddlewareAreLookedFor() async throws {
        struct Audit: Middleware {
            var targets: [String: ActorAddress] { ["auditor": ActorAddress("auditor")] }
        }
        let broker = broker([Audit()])
        let error = await #expect(throws: BrokerError.self) { try await Worker(broker).run() }
        #expect("\(try #require(error))".contains("Audit can't use its auditor: No actor named 'auditor'"))
    }
}
