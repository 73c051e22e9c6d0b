import Dramatiq
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// A delayed message that may have taken workers with it is read when no other such message is read or processed.
@Suite(.timeLimit(.minutes(10))) struct RedisSuspectTurnTests {
    private static let marks = "dramatiq:__redelivered__.default.DQ"

    private func send(_ name: String, delay: Duration, _ broker: Broker) async throws {
        try await broker.enqueue(
            [Message(queueName: "default", actorName: "task", args: [.string(name)])], delay: delay)
    }

    private func names(_ deliveries: [Delivery]) throws -> [JSONValue] {
        try deliveries.map { try $0.message(decoder: JSONMessageEncoder()).args.elements[0] }
    }

    @Test func itWaitsForItsTurnAndOthersDoNotWaitForIt() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let transport = RedisTransport(redis)
                let broker = Broker(transport: transport)
                for name in ["first", "second"] { try await send(name, delay: .milliseconds(1), broker) }
                let ids = try await redis.execute(RedisCommand("LRANGE", "dramatiq:default.DQ", 0, -1)).array()
                for id in ids { _ = try await redis.execute(RedisCommand("HSET", Self.marks, try id.string(), 1)) }
                try await send("innocent", delay: .milliseconds(300), broker)

                let options = ConsumerOptions(prefetch: 10)
                #expect(options.suspectTurn.begin(orTell: Signal()))
                let consumer = try await transport.consumer(of: "default.DQ", options)
                #expect(try names(try await consumer.next(limit: 10)) == ["innocent"])
                for id in ids {
                    let crashes = try await redis.execute(RedisCommand("HGET", Self.marks, try id.string()))
                    #expect(try crashes.string() == "1")
                }
                let next = Task { try await consumer.next(limit: 10) }
                options.suspectTurn.end()
                #expect(try names(try await next.value) == ["first", "second"])
                // It was given back.
                #expect(options.suspectTurn.begin(orTell: Signal()))
                await consumer.close()
            }
        }
    }
}
