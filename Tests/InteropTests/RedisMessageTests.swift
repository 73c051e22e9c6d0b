import Dramatiq
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// What each language enqueues the other one decodes, for every message of `Fixtures/messages`.
@Suite(.timeLimit(.minutes(3))) struct RedisMessageTests {
    private let encoder = JSONMessageEncoder()

    /// The messages as they are in the fixtures, without what a transport adds.
    private func fixtures() throws -> [(name: String, bytes: [UInt8])] {
        try Fixtures.names(in: "messages").map { ($0, try Fixtures.bytes("messages/\($0)")) }
    }

    private func stripped(_ message: Message, _ original: Message) throws -> [UInt8] {
        var message = message
        message.options["redis_message_id"] = original.options["redis_message_id"]
        message.queueName = original.queueName
        return try encoder.encode(message)
    }

    @Test func swiftReadsWhatPythonSends() async throws {
        try await withRedisServer { server in
            let fixtures = try fixtures()
            #expect(fixtures.count >= 40)
            _ = try await PythonPeer.run(
                ["send", server.url, "dramatiq", "shared"], input: fixtures.map(\.bytes))
            let transport = RedisTransport(try RedisClient(url: server.url))
            let consumer = try await transport.consumer(of: "shared", prefetch: 1000)
            var deliveries: [Delivery] = []
            while deliveries.count < fixtures.count { deliveries += try await consumer.next(limit: 1000) }
            for (delivery, (name, bytes)) in zip(deliveries, fixtures) {
                let message = try delivery.message(decoder: encoder)
                #expect(message.options["redis_message_id"] != nil)
                let read = try stripped(message, encoder.decode(bytes))
                #expect(read == bytes, "\(name)")
                #expect(try await transport.settle(delivery, Settlement()) == .committed)
            }
            #expect(try await transport.unfinishedCount(queue: "shared") == 0)
            await consumer.close()
        }
    }

    @Test func pythonReadsWhatSwiftSends() async throws {
        try await withRedisServer { server in
            let fixtures = try fixtures()
            let transport = RedisTransport(try RedisClient(url: server.url))
            let broker = Broker(transport: transport)
            try await broker.enqueue(
                fixtures.map { fixture in
                    var message = try encoder.decode(fixture.bytes)
                    message.queueName = "shared"
                    return message
                })
            let lines = try await PythonPeer.run(
                ["receive", server.url, "dramatiq", "shared", "\(fixtures.count)"])
            #expect(lines.count == fixtures.count)
            for (line, (name, bytes)) in zip(lines, fixtures) {
                let read = try stripped(encoder.decode(line), encoder.decode(bytes))
                #expect(read == bytes, "\(name)")
            }
            #expect(try await transport.unfinishedCount(queue: "shared") == 0)
        }
    }
}
