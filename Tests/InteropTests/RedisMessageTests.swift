import Dramatiq
import DramatiqLZ4
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// What each language enqueues the other one decodes, for every message of `Fixtures/messages`.
@Suite(.timeLimit(.minutes(10))) struct RedisMessageTests {
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
                #expect(try await transport.end(delivery) == .committed)
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

    /// The same with LZ4 on both sides: each reads the other's frames, and what is left plain since it would not shrink.
    @Test func bothLanguagesReadEachOthersFrames() async throws {
        try await withRedisServer { server in
            let fixtures = try fixtures()
            let lz4 = LZ4MessageEncoder()
            let transport = RedisTransport(try RedisClient(url: server.url))
            let broker = Broker(transport: transport, encoder: lz4)
            _ = try await PythonPeer.run(
                ["send", server.url, "dramatiq", "python"], input: fixtures.map(\.bytes), environment: ["LZ4": "1"])
            let consumer = try await transport.consumer(of: "python", prefetch: 1000)
            var deliveries: [Delivery] = []
            while deliveries.count < fixtures.count { deliveries += try await consumer.next(limit: 1000) }
            var messages: [Message] = []
            for (delivery, (name, bytes)) in zip(deliveries, fixtures) {
                guard case .bytes(let frame) = delivery.payload else { continue }
                #expect(frame.starts(with: [0x04, 0x22, 0x4D, 0x18]))
                let original = try encoder.decode(bytes)
                let read = try stripped(delivery.message(decoder: lz4), original)
                #expect(read == bytes, "\(name)")
                messages.append(original)
            }
            await consumer.close()
            let compressed = try messages.count { try lz4.encode($0).starts(with: [0x04, 0x22, 0x4D, 0x18]) }
            #expect(compressed >= 10 && compressed < messages.count, "both forms are there")
            try await broker.enqueue(
                messages.map { original in
                    var message = original
                    message.queueName = "swift"
                    return message
                })
            let lines = try await PythonPeer.run(
                ["receive", server.url, "dramatiq", "swift", "\(messages.count)"], environment: ["LZ4": "1"])
            #expect(lines.count == messages.count)
            for (line, original) in zip(lines, messages) {
                let read = try stripped(encoder.decode(line), original)
                let expected = try encoder.encode(original)
                #expect(read == expected)
            }
        }
    }
}
