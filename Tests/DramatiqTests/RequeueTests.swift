import Dramatiq
import TestSupport
import Testing

/// Dead letters that go back to their queues.
@Suite(.timeLimit(.minutes(10))) struct RequeueTests {
    private struct Broken: Error {}

    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func aRequeuedDeadLetterGetsItsRetriesAnew(fidelity: InMemoryTransport.Fidelity) async throws {
        let transport = InMemoryTransport(fidelity: fidelity)
        let broker = Broker(transport: transport, logger: RecordingLog().logger)
        let attempts = Recorder<MessageOptions>()
        let options: [ActorOption] = [.maxRetries(2), .minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(2))]
        let failing = TaskActor("failing", options: options) {
            attempts.add([:])
            throw Broken()
        }
        try await broker.declare(failing)
        try await broker.enqueue(failing.messageWithOptions(options: ["mine": "kept"]))
        for round in 1...3 {
            try await Worker(broker).run { try await transport.joinAll() }
            #expect(attempts.count == 3 * round)
            let letter = try #require(transport.deadLetters().first)
            #expect(try letter.message().options["retries"] == 2)
            try transport.requeueDeadLetter(letter.id)
        }
        let consumer = try await transport.consumer(of: "default", prefetch: 1)
        let message = try #require(try await consumer.next(limit: 1).first).message(decoder: JSONMessageEncoder())
        #expect(message.options == ["mine": "kept"])
        await consumer.close()
    }

    /// Messages of `Q.DQ` become dead letters of `Q`.
    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func aDelayedDeadLetterWaitsForItsTime(fidelity: InMemoryTransport.Fidelity) async throws {
        let transport = InMemoryTransport(fidelity: fidelity)
        let broker = Broker(transport: transport)
        let task = TaskActor("task") {}
        try await broker.declare(task)
        try await broker.enqueue(task.message(), delay: .seconds(1000))
        try await broker.enqueue(task.message(), delay: .milliseconds(1))
        let delayed = try await transport.consumer(of: "default.DQ", prefetch: 2)
        for delivery in try await delayed.next(limit: 2) {
            try await transport.end(delivery, .reject(reason: "no"))
        }
        try await Task.sleep(for: .milliseconds(5))
        for letter in transport.deadLetters() { try transport.requeueDeadLetter(letter.id) }
        let consumer = try await transport.consumer(of: "default", prefetch: 2)
        let due = try await consumer.next(limit: 2).map { try $0.message(decoder: JSONMessageEncoder()) }
        #expect(due.map(\.queueName) == ["default"])
        #expect(due.map { $0.options["eta"] } == [nil])
        let waiting = try await delayed.next(limit: 2).map { try $0.message(decoder: JSONMessageEncoder()) }
        #expect(waiting.map(\.queueName) == ["default.DQ"])
        #expect(waiting.map { $0.options["eta"] != nil } == [true])
        await consumer.close()
        await delayed.close()
    }

    @Test func whatCannotBeReadGoesBackAsItIs() async throws {
        let transport = InMemoryTransport(fidelity: .bytes)
        let broker = Broker(transport: transport, encoder: Backwards())
        try await broker.enqueue(Message(queueName: "default", actorName: "a", options: ["retries": 7]))
        for (encoder, retries) in [(JSONMessageEncoder() as any MessageEncoder, 7), (Backwards(), nil)] {
            let consumer = try await transport.consumer(of: "default", prefetch: 2)
            for delivery in try await consumer.next(limit: 2) {
                try await transport.end(delivery, .reject(reason: "no"))
            }
            await consumer.close()
            let letter = try #require(transport.deadLetters().first)
            try transport.requeueDeadLetter(letter.id, encoder: encoder)
            let other = try await transport.consumer(of: "default", prefetch: 2)
            let message = try #require(try await other.next(limit: 1).first).message(decoder: Backwards())
            #expect(message.options["retries"]?.intValue == retries)
            await other.close()
        }
    }

    /// Plain JSON from the end to the beginning.
    private struct Backwards: MessageEncoder {
        func encode(_ message: Message) throws -> [UInt8] { try JSONMessageEncoder().encode(message).reversed() }
        func decode(_ bytes: [UInt8]) throws -> Message { try JSONMessageEncoder().decode(bytes.reversed()) }
    }
}
