import Dramatiq
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// A worker whose messages were given to others, be it by a worker of Python whose clock is wrong.
@Suite(.timeLimit(.minutes(10))) struct RedisLossTests {
    /// What Python's maintenance does with the messages of a worker that it takes for dead.
    private func giveAway(_ redis: RedisClient, ofWorkersIn keys: [String]) async throws -> Int {
        var count = 0
        for acks in keys where acks.hasPrefix("dramatiq:__acks__.") {
            let ids = try await redis.execute(RedisCommand("SMEMBERS", acks)).array().map { try $0.string() }
            for id in ids { _ = try await redis.execute(RedisCommand("RPUSH", "dramatiq:default", id)) }
            _ = try await redis.execute(RedisCommand("DEL", acks))
            count += ids.count
        }
        return count
    }

    @Test func whatIsLostIsNotBegun() async throws {
        try await withRedisServer { server in
            let robbed = try await RedisStage(server, heartbeatTimeout: .milliseconds(400))
            let other = try await RedisStage(server, heartbeatTimeout: .milliseconds(400))
            let begun = Recorder<Int>()
            let ran = Recorder<Int>()
            let gate = Gate()
            let slow = TaskActor("slow") { (number: Int) in
                begun.add(number)
                try await gate.wait()
            }
            let quick = TaskActor("slow") { (number: Int) in _ = ran.add(number) }
            try await robbed.broker.declare(slow)
            try await other.broker.declare(quick)
            try await robbed.broker.enqueue((0..<12).map { slow.message($0) })
            try await withWorker(Worker(robbed.broker, concurrency: 2, prefetch: 12)) {
                try await eventually {
                    try await robbed.transport.status().inFlight == 12 && begun.count == 2
                }
                let id = try #require(try await robbed.transport.workers().first).id
                func heartbeat() async throws -> RESPValue {
                    try await robbed.redis.execute(RedisCommand("ZSCORE", "dramatiq:__heartbeats__", id))
                }
                let keys = try await robbed.keys()
                #expect(try await giveAway(robbed.redis, ofWorkersIn: keys) == 12)
                try await withWorker(Worker(other.broker, concurrency: 2, prefetch: 12)) {
                    try await eventually { ran.count == 12 }
                    // At a heartbeat the worker looks at what it has, and another one comes only after that.
                    for _ in 0..<3 {
                        let heard = try await heartbeat()
                        try await eventually { try await heartbeat() != heard }
                    }
                    gate.open()
                    try await robbed.transport.join(timeout: .patience)
                }
            }
            // What was begun before can't be taken back.
            #expect(begun.count == 2)
            #expect(robbed.log.entries.count { $0.message.contains("isn't begun") } == 10)
            #expect(ran.values.sorted() == Array(0..<12))
        }
    }

    /// The messages come back to the worker that had them: those that it has begun are not begun again.
    @Test func whatComesBackToItsWorkerIsItsOwnAgain() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let (deliveries, consumer) = try await stage.sendAndTake(2)
            let aware = try #require(consumer as? any LossAware)
            #expect(aware.begin(deliveries[0]))
            let acks = try #require(try await stage.keys().first { $0.contains("__acks__") })
            for id in try await stage.redis.execute(RedisCommand("SMEMBERS", acks)).array() {
                _ = try await stage.redis.pipeline([
                    RedisCommand("SREM", acks, try id.string()),
                    RedisCommand("RPUSH", "dramatiq:default", try id.string()),
                    RedisCommand("HSET", "dramatiq:__redelivered__.default", try id.string(), 0),
                ])
            }
            var again: [Delivery] = []
            while again.count < 2 { again += try await consumer.next(limit: 2) }
            for delivery in again {
                #expect(delivery.isRedelivered)
                #expect(!aware.begin(delivery))
                await #expect(throws: BrokerError.self) { try await consumer.note(delivery, isUnderWay: true) }
            }
            #expect(aware.begin(deliveries[1]))
            for delivery in deliveries {
                #expect(try await stage.transport.commit(Commit(.acknowledge, delivery)).status == .committed)
            }
            #expect(try await stage.transport.unfinishedCount() == 0)
            await consumer.close()
        }
    }

    /// There was no server when the first worker ended: what it had left goes back when there is one, and a message that
    /// was under way then has taken nobody with it.
    @Test func whatAShutdownLeftBehindGoesBackLater() async throws {
        try await withRedisServer(.appendOnly) { server in
            let stage = try await RedisStage(server)
            try await stage.broker.enqueue((0..<3).map { stage.task.message("\($0)") })
            let (_, first) = try await stage.take(3)
            await first.close()
            let (deliveries, second) = try await stage.take(3)
            try await second.note(deliveries[0], isUnderWay: true)
            server.kill()
            await second.close()
            try await server.start()
            let third = try await stage.transport.consumer(of: "default", prefetch: 3)
            var back: [Delivery] = []
            try await eventually {
                back += (try? await third.next(limit: 3)) ?? []
                return back.count == 3
            }
            #expect(back.allSatisfy { $0.isRedelivered && $0.crashes == 0 })
            await third.close()
        }
    }
}
