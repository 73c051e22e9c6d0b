import TestSupport
import Testing

@testable import Dramatiq

@Suite(.timeLimit(.minutes(10))) struct MiddlewareTests {
    private struct Failure: Error {}

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()

    private func broker(_ middleware: [any Middleware] = Broker.defaultMiddleware + [CurrentMessage()]) -> Broker {
        Broker(transport: transport, middleware: middleware, logger: log.logger)
    }

    private func run(_ broker: Broker, _ message: Message) async throws {
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(message)
            try await transport.join()
        }
    }

    // MARK: AgeLimit

    @Test func aMessageThatIsTooOldIsNotProcessed() async throws {
        let broker = broker()
        let runs = Recorder<String>()
        let actor = TaskActor("a", options: [.maxAge(.seconds(60))]) { (name: String) in _ = runs.add(name) }
        try await broker.declare(actor)
        var old = actor.message("old")
        old.messageTimestamp = MessageTimestamp(milliseconds: SystemClock.milliseconds() - 61_000)
        try await run(broker, old)
        var excused = actor.messageWithOptions("excused", options: ["max_age": 120_000])
        excused.messageTimestamp = MessageTimestamp(
            fractionalMilliseconds: SystemClock.fractionalMilliseconds() - 61_000)
        try await run(broker, excused)
        try await run(broker, actor.message("young"))
        #expect(runs.values == ["excused", "young"])
        let letter = try #require(transport.deadLetters().first)
        #expect(try letter.message().messageID == old.messageID)
        #expect(letter.reason.hasSuffix("its limit is 60000 ms"))
    }

    // MARK: TimeLimit

    @Test func anActorThatRunsTooLongIsCancelledAndFails() async throws {
        let broker = broker()
        let wasCancelled = Gate()
        let actor = TaskActor("slow", options: [.timeLimit(.milliseconds(120)), .maxRetries(0)]) {
            defer { wasCancelled.open() }
            try await Task.sleep(for: .seconds(3600))
        }
        // Runs for longer, and within its own limit.
        let quick = TaskActor("quick") { try await wasCancelled.wait() }
        try await broker.declare(actor, quick)
        try await withWorker(Worker(broker, concurrency: 2)) {
            try await actor.send(to: broker)
            try await quick.send(to: broker)
            try await transport.join()
        }
        #expect(transport.deadLetters().count == 1)
        let reason = try #require(transport.deadLetters().first?.reason)
        #expect(reason.hasPrefix("Actor 'slow' exceeded its time limit"))
    }

    @Test func aProcessorGoesOnAfterACancelledActor() async throws {
        let broker = broker()
        let runs = Recorder<Bool>()
        let slow = TaskActor("slow", options: [.timeLimit(.milliseconds(50)), .maxRetries(0)]) {
            try await Task.sleep(for: .seconds(3600))
        }
        let next = TaskActor("next") { _ = runs.add(Task.isCancelled) }
        try await broker.declare(slow, next)
        try await withWorker(Worker(broker, concurrency: 1)) {
            for _ in 0..<3 {
                try await slow.send(to: broker)
                try await next.send(to: broker)
            }
            try await transport.join()
        }
        #expect(runs.values == [false, false, false])
        #expect(transport.deadLetters().count == 3)
    }

    @Test func anActorThatReturnsInSpiteOfItsCancellationHasSucceeded() async throws {
        let broker = broker()
        let stubborn = TaskActor("stubborn", options: [.timeLimit(.milliseconds(50))]) {
            try? await Task.sleep(for: .seconds(3600))
        }
        try await broker.declare(stubborn)
        try await run(broker, stubborn.message())
        #expect(transport.deadLetters().isEmpty)
    }

    // MARK: Callbacks

    @Test func callbacksTellHowAMessageEnded() async throws {
        let broker = broker()
        let told = Recorder<(String, JSONValue)>()
        let divide = TaskActor(
            "divide", options: [.onSuccess("success"), .onFailure("failure"), .maxRetries(0)]
        ) { (left: Int, right: Int) in
            guard right != 0 else { throw Failure() }
            return left / right
        }
        let success = TaskActor("success") { (message: JSONValue, result: Int) in
            _ = told.add(("success", [message.objectValue?["args"] ?? nil, .integer(result)]))
        }
        let failure = TaskActor("failure") { (message: JSONValue, error: JSONValue) in
            _ = told.add(("failure", [message.objectValue?["args"] ?? nil, error]))
        }
        try await broker.declare(divide, success, failure)
        try await run(broker, divide.message(6, 3))
        try await run(broker, divide.message(6, 0))
        #expect(told.values.map(\.0) == ["success", "failure"])
        #expect(told.values[0].1 == [[6, 3], 2])
        #expect(told.values[1].1 == [[6, 0], ["type": "Failure", "message": "Failure()"]])
    }

    @Test func aCallbackThatCannotBeSentKeepsTheMessage() async throws {
        struct NotEncodable: Sendable {}
        let broker = broker()
        let actor = TaskActor("a", options: [.onSuccess("told")]) { NotEncodable() }
        try await broker.declare(actor, TaskActor("told") { (_: JSONValue, _: JSONValue) in })
        try await run(broker, actor.message())
        let reason = try #require(transport.deadLetters().first?.reason)
        #expect(reason.hasPrefix("Callbacks.afterProcessMessage: The result can't be passed on: NotEncodable"))
        #expect(transport.deadLetters().count == 1)
    }

    // MARK: Pipelines

    @Test func aPipelinePassesResultsOn() async throws {
        let broker = broker()
        let seen = Recorder<[Int]>()
        let start = TaskActor("start") { (number: Int) in number + 1 }
        let add = TaskActor("add") { (left: Int, right: Int) in
            seen.add([left, right])
            return left + right
        }
        let end = TaskActor("end") { (numbers: Int?) in _ = seen.add([numbers ?? -1]) }
        try await broker.declare(start, add, end)
        var partial = add.message(10, 0)
        partial.args = [10]
        let silent = Message(queueName: "default", actorName: "end")
        try await run(broker, start.message(1).piped(into: partial.piped(into: silent, ignoringResult: true)))
        #expect(seen.values == [[10, 2], [-1]])
        try await run(broker, start.message(5).piped(into: silent))
        #expect(seen.values.last == [6])
    }

    @Test func aPipeTargetThatIsNoMessageKeepsTheMessage() async throws {
        let broker = broker()
        let actor = TaskActor("a") {}
        try await broker.declare(actor)
        try await run(broker, actor.messageWithOptions(options: ["pipe_target": 5]))
        try await run(broker, actor.messageWithOptions(options: ["pipe_target": ["queue_name": "x"]]))
        let reasons = transport.deadLetters().map(\.reason)
        #expect(reasons.count == 2)
        #expect(reasons[0].contains("pipe_target must be a message, not an integer"))
        #expect(reasons[1].contains("no field 'actor_name'"))
    }

    // MARK: Order and errors

    private struct Probe: BeforeProcessMessage, AfterProcessMessage, AfterSkipMessage, BeforeAck, BeforeNack, AfterAck,
        AfterNack
    {
        let name: String
        let log: Recorder<String>
        var throwing: Set<String> = []
        var failurePolicy = MiddlewareFailurePolicy.log

        private func note(_ hook: String) throws {
            log.add("\(name) \(hook)")
            if throwing.contains(hook) { throw Failure() }
        }

        func beforeProcessMessage(_ context: inout MessageContext) async throws { try note("beforeProcess") }
        func afterProcessMessage(_ context: inout MessageContext) async throws { try note("afterProcess") }
        func afterSkipMessage(_ context: inout MessageContext) async throws { try note("afterSkip") }
        func beforeAck(_ context: inout MessageContext) async throws { try note("beforeAck") }
        func afterAck(_ context: MessageContext) { log.add("\(name) afterAck") }
        func beforeNack(_ context: inout MessageContext) async throws { try note("beforeNack") }
        func afterNack(_ context: MessageContext) { log.add("\(name) afterNack") }
    }

    @Test func hooksRunInOrderBeforeAndInReverseAfter() async throws {
        let order = Recorder<String>()
        let broker = broker([Probe(name: "1", log: order), Probe(name: "2", log: order)])
        let actor = TaskActor("a") { (fails: Bool) in
            order.add("actor")
            if fails { throw Failure() }
        }
        try await broker.declare(actor)
        try await run(broker, actor.message(false))
        let expected = [
            "1 beforeProcess", "2 beforeProcess", "actor", "2 afterProcess", "1 afterProcess", "1 beforeAck",
            "2 beforeAck", "2 afterAck", "1 afterAck",
        ]
        #expect(order.values == expected)
        // Without Retries an error is not a failure, as in Python.
        try await run(broker, actor.message(true))
        #expect(order.values == expected + expected)
    }

    @Test func aMiddlewareThatThrowsIsLoggedWithItsNameAndTheMessage() async throws {
        let order = Recorder<String>()
        let broker = broker([
            Probe(name: "bad", log: order, throwing: ["beforeProcess", "afterProcess", "beforeAck"]),
            Probe(name: "good", log: order),
        ])
        let actor = TaskActor("a") { _ = order.add("actor") }
        try await broker.declare(actor)
        let message = actor.message()
        try await run(broker, message)
        #expect(order.values.filter { $0.hasPrefix("good") }.count == 4)
        #expect(order.values.contains("actor"))
        let entries = log.entries.filter { $0.message == "Middleware threw" }
        #expect(
            entries.map { $0.metadata["hook"] } == ["beforeProcessMessage", "afterProcessMessage", "beforeAck"])
        for entry in entries {
            #expect(entry.metadata["middleware"] == "bad")
            #expect(entry.metadata["message_id"] == message.messageID)
        }
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func aHookThatMattersIsRepeatedAndThenTheMessageIsKept() async throws {
        let order = Recorder<String>()
        let broker = broker([
            Probe(name: "bad", log: order, throwing: ["beforeAck"], failurePolicy: .retryThenReject)
        ])
        let actor = TaskActor("a") { _ = order.add("actor") }
        try await broker.declare(actor)
        let retries = TransitionRetryPolicy(attempts: 3, minBackoff: .milliseconds(1))
        try await withWorker(Worker(broker, transitionRetries: retries)) {
            try await actor.send(to: broker)
            try await transport.join()
        }
        #expect(order.values.filter { $0 == "actor" }.count == 1)
        #expect(order.values.filter { $0 == "bad beforeAck" }.count == 3)
        #expect(order.values.suffix(2) == ["bad beforeNack", "bad afterNack"])
        #expect(transport.deadLetters().first?.reason == "bad.beforeAck: Failure()")
    }

    @Test func skippingLeavesTheActorOutAndAcknowledges() async throws {
        struct Skips: BeforeProcessMessage {
            func beforeProcessMessage(_ context: inout MessageContext) async throws { throw SkipMessage("holiday") }
        }
        let order = Recorder<String>()
        let broker = broker([Probe(name: "1", log: order), Skips(), Probe(name: "2", log: order)])
        let actor = TaskActor("a") { _ = order.add("actor") }
        try await broker.declare(actor)
        try await run(broker, actor.message())
        #expect(
            order.values == [
                "1 beforeProcess", "2 afterSkip", "1 afterSkip", "1 beforeAck", "2 beforeAck", "2 afterAck",
                "1 afterAck",
            ])
        #expect(transport.deadLetters().isEmpty)
    }

    // MARK: CurrentMessage

    @Test func theCurrentMessageIsTheOneThatIsProcessed() async throws {
        let broker = broker()
        let seen = Recorder<Bool>()
        let actor = TaskActor("a") { (id: String) in
            await Task { _ = seen.add(CurrentMessage.message?.kwargs["id"] == .string(id)) }.value
        }
        try await broker.declare(actor)
        try await withWorker(Worker(broker)) {
            for number in 0..<50 {
                try await broker.enqueue(
                    Message(
                        queueName: "default", actorName: "a", args: [.string("\(number)")],
                        kwargs: ["id": .string("\(number)")]))
            }
            try await transport.join()
        }
        // The actor takes no keyword, so all are dead letters: the message never reached it.
        #expect(transport.deadLetters().count == 50)
        let named = TaskActor("named") { (id: String) in
            await Task { _ = seen.add(CurrentMessage.message?.args == [.string(id)]) }.value
        }
        try await broker.declare(named)
        try await withWorker(Worker(broker)) {
            for number in 0..<50 { try await named.send("\(number)", to: broker) }
            try await transport.join()
        }
        #expect(seen.values == Array(repeating: true, count: 50))
        #expect(CurrentMessage.message == nil)
    }
}
