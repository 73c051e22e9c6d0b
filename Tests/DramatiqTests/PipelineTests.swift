import TestSupport
import Testing

@testable import Dramatiq

/// Messages that are piped into others, and messages that are copied.
@Suite(.timeLimit(.minutes(10))) struct PipelineTests {
    /// Stands for the middleware that serves what ties a message to others.
    private struct Ties: Middleware {
        var servedOptions: [ServedOption] { WireOption.ties.map { ServedOption($0) } }
    }

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()
    private let ran = Recorder<String>()

    private func broker() async throws -> (Broker, TaskActor<String, String?, String>) {
        let broker = Broker(
            transport: transport, middleware: Broker.defaultMiddleware + [CurrentMessage(), Ties()], logger: log.logger)
        let ran = ran
        let step = TaskActor("step") { (name: String, result: String?) in
            ran.add("\(name) \(result ?? "-")")
            return name
        }
        try await broker.declare(step)
        return (broker, step)
    }

    private func message(_ name: String, _ options: MessageOptions = [:]) -> Message {
        Message(queueName: "default", actorName: "step", args: [.string(name)], options: options)
    }

    private func run(_ message: Message, _ broker: Broker) async throws {
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(message)
            try await transport.join()
        }
    }

    @Test func whatIsPipedIntoAPipelineComesAfterItsLastMessage() async throws {
        let (broker, _) = try await broker()
        let (a, b, c, d) = (message("a"), message("b"), message("c"), message("d"))
        try await run(a.piped(into: b).piped(into: c), broker)
        #expect(ran.values == ["a -", "b a", "c b"])
        #expect(a.piped(into: b).piped(into: c) == a.piped(into: b.piped(into: c)))
        let four = a.piped(into: b).piped(into: c.piped(into: d))
        #expect(four == a.piped(into: b.piped(into: c.piped(into: d))))
        #expect(Pipeline(four).messages.map(\.messageID) == [a, b, c, d].map(\.messageID))
        try await run(a.piped(into: b, ignoringResult: true).piped(into: c), broker)
        #expect(ran.values.dropFirst(3) == ["a -", "b -", "c b"])
    }

    @Test func aPipelineCanBeLong() async throws {
        let (broker, _) = try await broker()
        var pipeline = message("30")
        for number in (0..<30).reversed() { pipeline = message("\(number)").piped(into: pipeline) }
        for number in 31..<60 { pipeline = pipeline.piped(into: message("\(number)")) }
        try await run(pipeline, broker)
        #expect(ran.values == ["0 -"] + (1..<60).map { "\($0) \($0 - 1)" })
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func nothingCanFollowATargetThatIsNoMessage() async throws {
        let (broker, _) = try await broker()
        let broken = message("a", ["pipe_target": 5])
        let error = await #expect(throws: ArgumentFailure.self) {
            try await broker.enqueue(broken.piped(into: message("b")))
        }
        #expect(error?.reason.contains("pipe_target must be a message") == true)
    }

    @Test func argumentsThatCantBeEncodedAreFoundWhenThePipelineIsSent() async throws {
        struct Odd: Codable, Sendable {
            struct Refused: Error {}
            init() {}
            init(from decoder: any Decoder) throws {}
            func encode(to encoder: any Encoder) throws { throw Refused() }
        }
        let (broker, _) = try await broker()
        let odd = TaskActor("odd") { (_: Odd) in }
        try await broker.declare(odd)
        for pipeline in [
            message("a").piped(into: odd.message(Odd())), odd.message(Odd()).piped(into: message("b")),
            message("a").piped(into: odd.message(Odd())).piped(into: message("b")),
        ] {
            await #expect(throws: ArgumentFailure.self) { try await broker.enqueue(pipeline) }
        }
        #expect(transport.unfinishedCount(queues: ["default"]) == 0)
    }

    // MARK: Copies

    private let ties: MessageOptions = [
        "workflow_completion_callbacks": [["id", nil, true]], "group_completion_uuid": "group",
        "group_completion_callbacks": [], "retries": 3, "traceback": "…", "requeue_timestamp": 5,
        "redis_message_id": "of the original", "max_retries": 7,
    ]

    @Test func aCopyWithAFreshIDIsAnotherMessage() throws {
        let message = message("a", ties)
        let copy = message.withFreshID()
        #expect(copy.messageID != message.messageID)
        #expect(copy.options == ["max_retries": 7])
        #expect(copy.args == message.args)
        let pipeline = self.message("first").piped(into: message)
        let copies = Pipeline(pipeline.withFreshID()).messages
        #expect(copies.count == 2)
        #expect(copies[1].options == ["max_retries": 7])
        #expect(Set(copies.map(\.messageID)).isDisjoint(with: [pipeline.messageID, message.messageID]))
        // What keeps its id is the same message.
        #expect(message.copy(options: ["x": 1]).options["workflow_completion_callbacks"] != nil)
    }

    @Test func whatAnActorSendsWithItsOwnMessagesTiesIsAnotherTask() async throws {
        let (broker, _) = try await broker()
        let sent = Recorder<Message>()
        let copies = TaskActor("copies") {
            guard let own = CurrentMessage.message else { return }
            let fromOptions = Message(queueName: "away", actorName: "step", args: [], options: own.options)
            var renamed = own
            renamed.queueName = "away"
            renamed.messageID = "another"
            var same = own
            same.queueName = "away"
            try await sent.add(broker.enqueue(fromOptions))
            try await broker.enqueue([renamed, same])
        }
        try await broker.declare(copies)
        try await run(copies.messageWithOptions(options: ties), broker)
        let consumer = try await transport.consumer(of: "away", prefetch: 3)
        let taken = try await consumer.next(limit: 3).map { try $0.message(decoder: JSONMessageEncoder()) }
        #expect(sent.values.first?.options["workflow_completion_callbacks"] == nil)
        #expect(taken.map { $0.options["workflow_completion_callbacks"] != nil } == [false, false, true])
        #expect(taken.map { $0.options["group_completion_uuid"] != nil } == [false, false, true])
        await consumer.close()
    }

    @Test func whatAHookSendsWithItsMessagesTiesIsAnotherTask() async throws {
        struct Repeats: AfterProcessMessage {
            func afterProcessMessage(_ context: inout MessageContext) async throws {
                var copy = context.message
                copy.queueName = "away"
                copy.messageID = "another"
                try await context.enqueue(copy)
            }
        }
        let broker = Broker(transport: transport, middleware: [Repeats(), Ties()], logger: log.logger)
        try await broker.declare(TaskActor("once") {})
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(Message(queueName: "default", actorName: "once", options: ties))
            try await transport.join()
        }
        let consumer = try await transport.consumer(of: "away", prefetch: 1)
        let taken = try await consumer.next(limit: 1).map { try $0.message(decoder: JSONMessageEncoder()) }
        #expect(taken.first?.options["workflow_completion_callbacks"] == nil)
        #expect(taken.first?.options["max_retries"] == 7)
        await consumer.close()
    }
}
