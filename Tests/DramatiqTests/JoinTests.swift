import Dramatiq
import TestSupport
import Testing

/// The end of messages that go from queue to queue is waited for.
@Suite(.timeLimit(.minutes(10))) struct JoinTests {
    private let transport = InMemoryTransport()
    private let log = RecordingLog()
    private let steps = Recorder<Int>()

    private static func hop(_ step: Int, of last: Int, in queues: Int, _ steps: Recorder<Int>, _ broker: Broker)
        -> TaskActor<Int, Void>
    {
        TaskActor("hop\(step % queues)", queue: "q\(step % queues)") { (step: Int) in
            steps.add(step)
            if step == last { return }
            let next = hop(step + 1, of: last, in: queues, steps, broker)
            if step + 1 < queues { try await broker.declare(next) }
            try await next.send(step + 1, to: broker)
        }
    }

    @Test func inQueuesThatThereAre() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        for step in 0..<3 { try await broker.declare(Self.hop(step, of: 400, in: 3, steps, broker)) }
        // What the first ones declare is there already.
        let first = Message(queueName: "q2", actorName: "hop2", args: [.integer(2)])
        try await withWorker(Worker(broker, concurrency: 3)) {
            try await broker.enqueue(first)
            try await broker.joinAll()
            #expect(steps.values == Array(2...400))
        }
    }

    @Test func inQueuesThatAreMadeMeanwhile() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let first = Self.hop(0, of: 60, in: 100, steps, broker)
        try await broker.declare(first)
        try await withWorker(Worker(broker)) {
            try await first.send(0, to: broker)
            try await transport.joinAll()
            #expect(steps.values == Array(0...60))
        }
    }

    @Test func whatIsLeftIsSaid() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        for queue in 0..<7 { try await broker.enqueue(Message(queueName: "q\(queue)", actorName: "a")) }
        let names = transport.queueNames()
        let several = await #expect(throws: BrokerError.self) { try await broker.join(queues: names, timeout: .zero) }
        #expect(several?.unfinishedCount == 7)
        #expect(several?.queueName == nil)
        #expect(
            several?.description
                == "Queues 'q0', 'q1', 'q2', 'q3', 'q4' and 2 more still have 7 unfinished messages")
        // One that is named twice is one.
        let one = await #expect(throws: BrokerError.self) {
            try await broker.join(queues: ["q1", "q1.DQ"], timeout: .zero)
        }
        #expect(one?.unfinishedCount == 1)
        #expect(try await broker.operations.unfinishedCount(queue: "q1") == 1)
    }
}
