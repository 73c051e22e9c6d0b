import Logging
import TestSupport
import Testing

@testable import Dramatiq

/// What can't work is refused where it enters.
@Suite(.timeLimit(.minutes(10))) struct BrokerLimitTests {
    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()

    // MARK: Queue names

    @Test(arguments: [
        "jobs.XQ", "jobs.DQ", "jobs.DQ.DQ", "jobs.DQ.XQ", "jobs.msgs", "jobs.XQ.msgs", "jobs.XQ.reason.1",
        "__heartbeats__",
        "__acks__.worker.jobs", "__commits__.x", "__redelivered__.x", "__runs__.running", "__reaper__", "jobs\n", "",
    ])
    func aQueueThatWouldNeverBeServedIsRefused(name: String) async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let expected = BrokerError.invalidQueueName(name)
        await #expect(throws: expected) { try await broker.declare(TaskActor("a", queue: name) {}) }
        await #expect(throws: expected) { try await broker.declare(queue: name) }
        await #expect(throws: expected) { try await TaskActor("a", queue: name) {}.send(to: broker) }
        await #expect(throws: expected) {
            try await broker.enqueue(Message(queueName: name, actorName: "a"), delay: .seconds(1))
        }
        await #expect(throws: expected) { try await broker.enqueue([Message(queueName: name, actorName: "a")]) }
        await #expect(throws: expected) { try await Worker(broker, queues: [name]).run() }
        #expect(broker.actorNames.isEmpty)
        #expect(broker.queueNames.isEmpty)
        #expect(transport.queueNames().isEmpty)
        #expect(!expected.description.contains("reserved"))
    }

    @Test func namesThatOnlyLookAlikeAreTaken() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        for name in ["DQ", "jobs.dq", "jobsDQ", "XQ.jobs", "msgs", "__", "__jobs__", "jobs.XQ.", "_acks_.x"] {
            try await broker.declare(queue: name)
        }
        #expect(BrokerError.invalidQueueName("jobs.XQ").description.contains("dead letters"))
        #expect(BrokerError.invalidQueueName("1").description.contains("must start with a letter"))
    }

    /// A producer that doesn't know the rules has its message run, and kept when it fails.
    @Test(arguments: ["jobs.XQ", "", "a b", "jobs.DQ"])
    func aMessageThatNamesAnOddQueueIsNotLost(name: String) async throws {
        let broker = Broker(
            transport: RenamedQueue(base: transport, name: name), middleware: Broker.defaultMiddleware,
            logger: log.logger)
        let runs = Recorder<String>()
        let fails = TaskActor("fails", options: [.minBackoff(.milliseconds(1))]) { (name: String) in
            runs.add(name)
            if name == "b" { throw RenamedQueue.Failure() }
        }
        try await broker.declare(fails)
        try await broker.enqueue([fails.message("a"), fails.message("b")])
        let worker = Worker(broker, transitionRetries: TransitionRetryPolicy(attempts: 1))
        try await withWorker(worker) { try await transport.join() }
        #expect(runs.values.sorted() == ["a", "b"])
        let letter = try #require(transport.deadLetters().first)
        #expect(transport.deadLetters().count == 1)
        #expect(letter.reason.contains("can't name a queue"))
    }

    /// Hands out the messages of the queues in memory with another name in them.
    private struct RenamedQueue: TransportWrapper {
        struct Failure: Error {}

        let base: any Transport
        let name: String

        var traits: TransportTraits {
            var traits = base.traits
            traits.isImmediate = false
            return traits
        }
        func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
            Consumer(base: try await base.consumer(of: queue, options), name: name)
        }

        private final class Consumer: TransportConsumer {
            let base: any TransportConsumer
            let name: String

            init(base: any TransportConsumer, name: String) {
                self.base = base
                self.name = name
            }

            func next(limit: Int) async throws -> [Delivery] {
                try await base.next(limit: limit).map { delivery in
                    var message = try delivery.message(decoder: JSONMessageEncoder())
                    message.queueName = name
                    var renamed = Delivery(
                        queueName: delivery.queueName, tag: delivery.tag,
                        payload: .bytes(try JSONMessageEncoder().encode(message)), isRedelivered: false)
                    renamed.handle = delivery.handle
                    return renamed
                }
            }

            func close() async { await base.close() }
        }
    }

    // MARK: Middleware

    private struct Tap: Middleware {
        var name = "Tap"
    }

    @Test func theSameMiddlewareTwiceIsRefusedBeforeAnythingIsDone() async throws {
        let lists: [(String, [any Middleware])] = [
            ("Retries", Broker.defaultMiddleware + [Retries(maxRetries: 1)]),
            ("CurrentMessage", [CurrentMessage(), AgeLimit(), CurrentMessage()]),
            ("Pipelines", Broker.defaultMiddleware + Broker.defaultMiddleware.suffix(2)),
            ("Tap", [Tap(), Tap()]),
        ]
        for (name, list) in lists {
            let log = RecordingLog()
            let broker = Broker(transport: transport, middleware: list, logger: log.logger)
            let expected = BrokerError.middlewareTwice(name: name)
            #expect(log.entries.contains { $0.level == .critical && $0.metadata["error"] == "\(expected)" })
            let actor = TaskActor("a") {}
            await #expect(throws: expected) { try await broker.declare(actor) }
            await #expect(throws: expected) { try await broker.declare(queue: "q") }
            await #expect(throws: expected) { try await actor.send(to: broker) }
            await #expect(throws: expected) { try await broker.enqueue([actor.message()]) }
            await #expect(throws: expected) { try await Worker(broker).run() }
            #expect(transport.queueNames().isEmpty)
        }
        let broker = Broker(transport: transport, middleware: [Tap(name: "in"), Tap(name: "out")], logger: log.logger)
        try await broker.declare(queue: "q")
        #expect(log.complaints.isEmpty)
    }
}
