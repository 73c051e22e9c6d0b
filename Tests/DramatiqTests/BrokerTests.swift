import Dramatiq
import TestSupport
import Testing

@Suite struct BrokerTests {
    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()

    @Test func declaringAnActorTwiceIsAnError() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let actor = TaskActor("twice") {}
        try await broker.declare(actor)
        await #expect(throws: BrokerError.actorAlreadyDeclared(name: "twice")) { try await broker.declare(actor) }
        let other = TaskActor("other") {}
        await #expect(throws: BrokerError.actorAlreadyDeclared(name: "other")) {
            try await broker.declare(other, other)
        }
        #expect(broker.actorNames == ["twice"])
    }

    @Test func anOptionThatNoMiddlewareKnowsIsAnError() async throws {
        let broker = Broker(transport: transport, middleware: [AgeLimit()])
        let actor = TaskActor("a", options: [.maxAge(.seconds(1)), .maxRetries(3), .custom("x", 1)]) {}
        await #expect(throws: BrokerError.unknownActorOptions(actor: "a", options: ["max_retries", "x"])) {
            try await broker.declare(actor)
        }
        #expect(broker.actorNames.isEmpty)
        let full = Broker(transport: transport, middleware: [AgeLimit(), Retries()])
        try await full.declare(TaskActor("a", options: [.maxAge(.seconds(1)), .maxRetries(3)]) {})
        #expect(full.actorNames == ["a"])
    }

    @Test(arguments: ["", "1st", ".a", "-a", "a b", "ä", "a/b", "a\n"])
    func aQueueNameThatDramatiqRefusesIsAnError(name: String) async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        await #expect(throws: BrokerError.invalidQueueName(name)) {
            try await broker.declare(TaskActor("a", queue: name) {})
        }
        await #expect(throws: BrokerError.invalidQueueName(name)) {
            try await broker.enqueue(Message(queueName: name, actorName: "a"))
        }
    }

    @Test func middlewareIsPlacedBesideOthers() throws {
        let list = try Broker.defaultMiddleware
            .inserting(CurrentMessage(), before: TimeLimit.self)
            .inserting(AgeLimit(maxAge: .seconds(5)), after: Retries.self)
            .replacing(Retries.self, with: Retries(maxRetries: 1))
        let names = list.map(\.name)
        #expect(
            names == [
                "AgeLimit", "CurrentMessage", "TimeLimit", "ShutdownNotifications", "Callbacks", "Pipelines", "Retries",
                "AgeLimit",
            ])
        let broker = Broker(transport: transport, middleware: list)
        #expect(broker.middleware(of: Retries.self)?.maxRetries == 1)
        #expect(throws: BrokerError.middlewareNotFound(name: "CurrentMessage")) {
            _ = try Broker.defaultMiddleware.inserting(AgeLimit(), after: CurrentMessage.self)
        }
    }

    @Test func anArgumentThatCannotBeEncodedIsThrownWhenTheMessageIsSent() async throws {
        struct Refuses: Codable, Sendable, Error {
            init() {}
            init(from decoder: any Decoder) throws { throw Refuses() }
            func encode(to encoder: any Encoder) throws { throw Refuses() }
        }
        let actor = TaskActor("picky") { (_: Refuses) in }
        for fidelity in [InMemoryTransport.Fidelity.values, .bytes] {
            let transport = InMemoryTransport(fidelity: fidelity)
            let broker = Broker(transport: transport, logger: log.logger)
            try await broker.declare(actor)
            await #expect(throws: ArgumentFailure.self) { try await actor.send(Refuses(), to: broker) }
            #expect(transport.unfinishedCount(queues: ["default"]) == 0)
        }
    }

    @Test func aDelayedMessageGoesToTheDelayQueueWithItsETA() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let message = Message(queueName: "q", actorName: "a", options: ["x": 1])
        let before = message.messageTimestamp.milliseconds
        let sent = try await broker.enqueue(message, delay: .seconds(60))
        #expect(sent.queueName == "q.DQ")
        #expect(sent.messageID == message.messageID)
        let eta = try #require(sent.options["eta"]?.intValue)
        #expect(Double(eta) >= before + 60_000)
        #expect(sent.options["x"] == 1)
        let plain = try await broker.enqueue(message, delay: .zero)
        #expect(plain == message)
        #expect(transport.unfinishedCount(queues: ["q"]) == 2)
    }

    @Test func hooksSeeMessagesOnTheirWayOut() async throws {
        struct Stamp: BeforeEnqueue, AfterEnqueue {
            let log: Recorder<String>
            func beforeEnqueue(_ message: inout Message, delay: Duration?, broker: Broker) async throws {
                if message.actorName == "forbidden" { throw Forbidden() }
                message.options["stamp"] = true
                log.add("before \(message.actorName)")
            }
            func afterEnqueue(_ message: Message, delay: Duration?) {
                log.add("after \(message.actorName) \(message.options)")
            }
        }
        struct Forbidden: Error {}
        let log = Recorder<String>()
        let broker = Broker(transport: transport, middleware: [Stamp(log: log)])
        try await broker.enqueue(Message(queueName: "q", actorName: "fine"))
        await #expect(throws: Forbidden.self) {
            try await broker.enqueue(Message(queueName: "q", actorName: "forbidden"))
        }
        #expect(log.values == ["before fine", #"after fine {"stamp":true}"#])
        #expect(transport.unfinishedCount(queues: ["q"]) == 1)
    }
}
