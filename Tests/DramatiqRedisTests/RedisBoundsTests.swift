import Dramatiq
import DramatiqDedupStorage
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import Logging
import RedisTestSupport
import TestSupport
import Testing

/// Times and sizes that can't be, and keys that hold something else: found before anything is written.
@Suite(.timeLimit(.minutes(10))) struct RedisBoundsTests {
    private struct Failure: Error {}
    private static let extremes: [Duration] = [
        .seconds(Int64.max), .seconds(Int64.min), .zero, .nanoseconds(1), .milliseconds(-1), .seconds(1e18),
        .seconds(Int64.max) + .milliseconds(999),
    ]

    @Test func aDeadLetterIsNeverAlsoInItsQueue() async throws {
        try await withRedisServer { server in
            for (number, ttl) in Self.extremes.enumerated() {
                let stage = try await RedisStage(server, namespace: "n\(number)", deadLetterTTL: ttl)
                let fails = TaskActor("fails", options: [.maxRetries(0)]) { throw Failure() }
                try await stage.broker.declare(fails)
                try await fails.send(to: stage.broker)
                try await stage.work()
                let status = try await stage.transport.status(queue: "default")
                #expect((status.deadLetters, status.waiting, status.inFlight) == (1, 0, 0), "\(ttl)")
                #expect(stage.log.complaints.filter { $0.message.contains("settled") }.map(\.message) == [])
            }
        }
    }

    @Test func timesThatOthersWroteAreDates() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let scores = ["inf", "-inf", "1e308", "-1e308", "0", "1.5e-300"]
            for score in scores {
                _ = try await stage.redis.pipeline([
                    RedisCommand("ZADD", "dramatiq:default.XQ", score, score),
                    RedisCommand("HSET", "dramatiq:default.XQ.msgs", score, "no message"),
                    RedisCommand("ZADD", "dramatiq:__heartbeats__", score, score),
                ])
            }
            let years = Date(milliseconds: -.infinity)...Date(milliseconds: .infinity)
            let letters = try await stage.transport.deadLetters()
            #expect(Set(letters.map(\.id)) == Set(scores))
            for letter in letters { #expect(years.contains(letter.timestamp), "\(letter.id)") }
            #expect(try await stage.transport.deadLetter("inf").timestamp == years.upperBound)
            #expect(try await stage.transport.status().oldestDeadLetter == years.lowerBound)
            let workers = try await stage.transport.workers()
            #expect(Set(scores).isSubset(of: workers.map(\.id)))
            for worker in workers { #expect(years.contains(worker.lastHeard), "\(worker.id)") }
        }
    }

    @Test func everyTimeOfATransportIsBounded() async throws {
        for time in Self.extremes {
            var configuration = RedisTransport.Configuration(
                heartbeatTimeout: time, deadLetterTTL: time, sendPatience: time)
            configuration.heartbeatTimeout = time
            configuration.deadLetterTTL = time
            configuration.sendPatience = time
            let redis = try RedisClient(url: "redis://127.0.0.1:1")
            let bounded = RedisTransport(redis, configuration: configuration).configuration
            let century = Duration.seconds(3_155_760_000)
            #expect((.milliseconds(100)...century).contains(bounded.heartbeatTimeout))
            #expect((.milliseconds(1)...century).contains(bounded.deadLetterTTL))
            #expect((.zero...century).contains(bounded.sendPatience))
        }
    }

    @Test func everyTimeOfAClientIsBounded() async throws {
        try await withRedisServer { server in
            for time in Self.extremes {
                try await withRedis(server.url) {
                    $0.connectTimeout = max(time, .seconds(30))
                    $0.commandTimeout = max(time, .seconds(30))
                    $0.blockingIdleTimeout = time
                    $0.minBackoff = min(time, .milliseconds(10))
                    $0.maxBackoff = min(time, .milliseconds(10))
                } _: { redis in
                    _ = try await redis.execute(RedisCommand("SET", "a", 1))
                    #expect(try await redis.block(RedisCommand("GET", "a"), timeout: time).string() == "1")
                    try await loseConnection(redis)
                }
            }
        }
    }

    @Test func limitsBarriersAndStoresTakeEveryTime() async throws {
        try await withRedisServer { server in
            for (number, time) in Self.extremes.enumerated() {
                let stage = try await RedisStage(server, namespace: "n\(number)")
                let backend = stage.backend
                #expect(try await backend.add("a\(number)", value: 1, ttl: time))
                // A short time may be over at once.
                _ = try await backend.incr("b\(number)", amount: 1, maximum: 9, ttl: time)
                _ = try await backend.decr("c\(number)", amount: 1, minimum: -9, ttl: time)
                _ = try await backend.incrAndSum(
                    "d\(number)", keys: { ["d\(number)"] }, amount: 1, maximum: 9, ttl: time)
                try await backend.notify("e\(number)", ttl: time)
                try await backend.notify("f", ttl: .seconds(1000))
                #expect(try await backend.wait("f", timeout: time) == (time > .zero))
                let store = RedisWorkflowStore(stage.redis, namespace: "n\(number)", ttl: time)
                _ = try await store.store([1], completionID: "id")
                if time > .seconds(1) {
                    #expect(try await store.load("id", completionID: "id") == [1])
                    try await store.refresh("id", completionID: "id")
                }
            }
        }
    }

    /// Also where messages are looked for that the server has given out and whose answer was lost.
    @Test func strayMessagesAreTakenWithinBounds() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            try await stage.broker.enqueue((0..<4).map { stage.task.message("\($0)") })
            let consumer = try await stage.transport.consumer(of: "default", prefetch: 4)
            faulty.set { $0.script?.source.contains("'LTRIM'") ?? false ? .after : nil }
            await #expect(throws: RedisError.self) { _ = try await consumer.next(limit: 4) }
            faulty.set { _ in nil }
            for limit in [-1, Int.min, 0, 1] { #expect(try await consumer.next(limit: limit).count == 1) }
            await consumer.close()
        }
    }

    @Test func sizesThatCanNotBeAreBounded() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await stage.broker.enqueue((0..<20).map { stage.task.message("\($0)") })
            let consumer = try await stage.transport.consumer(of: "default", prefetch: 1)
            for limit in [0, -1, Int.min] { #expect(try await consumer.next(limit: limit).count == 1) }
            #expect(try await consumer.next(limit: .max).count == 17)
            await consumer.close()
            for offset in [Int.max, .min, 1 << 53] {
                #expect(try await stage.transport.deadLetters(offset: offset, limit: .max).isEmpty)
            }
            #expect(try await stage.transport.deadLetters(limit: .min).isEmpty)
            #expect(try await stage.transport.sample(queue: "default", limit: .max).count == 20)
            #expect(try await stage.transport.sample(queue: "default", limit: .min).isEmpty)
        }
    }

    /// One of a queue's keys holds something else: a step that needs it changes nothing.
    @Test(arguments: [
        "default", "default.msgs", "default.XQ", "default.XQ.msgs", "__acks__", "__heartbeats__",
        "__redelivered__.default",
    ])
    func aKeyOfAnotherTypeStopsAStepBeforeItWrites(name: String) async throws {
        try await withRedisServer { server in
            let steps: [@Sendable (RedisTransport, any TransportConsumer) async throws -> Void] = [
                { _ = try await $1.next(limit: 1) },
                { transport, _ in try await transport.requeueDeadLetter("x") },
                { transport, _ in _ = try await transport.requeueDeadLetters() },
                { transport, _ in try await transport.removeDeadLetter("x") },
                { transport, _ in _ = try await transport.removeDeadLetters() },
            ]
            var failures = 0
            for step in steps {
                let stage = try await RedisStage(server)
                let redis = stage.redis
                _ = try await redis.execute(RedisCommand("FLUSHALL"))
                try await stage.broker.enqueue([stage.task.message("a"), stage.task.message("b")])
                let (_, consumer) = try await stage.take()
                _ = try await redis.pipeline([
                    RedisCommand("ZADD", "dramatiq:default.XQ", 5, "x"),
                    RedisCommand("HSET", "dramatiq:default.XQ.msgs", "x", "bytes"),
                ])
                let acks = try #require(try await stage.keys().first { $0.contains("__acks__") })
                let key = name == "__acks__" ? acks : "dramatiq:\(name)"
                _ = try await redis.pipeline([RedisCommand("DEL", key), RedisCommand("SET", key, "other")])
                let before = try await contents(redis)
                let error = await redisError { try await step(stage.transport, consumer) }
                if let error {
                    failures += 1
                    #expect(error.message.contains("WRONGTYPE"))
                    #expect(try await contents(redis) == before)
                }
                await redis.shutDown()
            }
            #expect(failures > 0)
        }
    }

    @Test(arguments: ["default", "default.msgs"])
    func whatCanNotBeGivenBackStaysTaken(name: String) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let (_, consumer) = try await stage.sendAndTake(3)
            _ = try await stage.redis.pipeline([
                RedisCommand("DEL", "dramatiq:\(name)"), RedisCommand("SET", "dramatiq:\(name)", "other"),
            ])
            await consumer.close()
            let acks = try #require(try await stage.keys().first { $0.contains("__acks__") })
            #expect(try await stage.redis.execute(RedisCommand("SCARD", acks)).integer() == 3)
            #expect(stage.log.complaints.contains { $0.level == .error })
        }
    }

    /// What the keys of the queues hold.
    private func contents(_ redis: RedisClient) async throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in try await redis.execute(RedisCommand("KEYS", "dramatiq:*")).array().map({ try $0.string() })
        where !name.contains("__commits__") && !name.contains("__heartbeats__") {
            contents[name] = try await redis.execute(RedisCommand("DUMP", name)).bytes()
        }
        return contents
    }

    @Test func aRateLimitOnWhatIsNoNumberIsNamed() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.execute(RedisCommand("SET", "words", "many"))
            let error = await redisError {
                try await stage.backend.incr("words", amount: 1, maximum: 9, ttl: .seconds(9))
            }
            #expect(error?.message.contains("words") == true)
            #expect(try await stage.redis.execute(RedisCommand("GET", "words")).string() == "many")
        }
    }
}
