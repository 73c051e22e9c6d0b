import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RedisDeadLetterTests {
    private struct Broken: Error {}

    /// Runs tasks that fail for good.
    private func fail(_ stage: RedisStage, _ count: Int) async throws -> TaskActor<Int, Void> {
        let broken = TaskActor("broken", options: [.maxRetries(0)]) { (_: Int) in throw Broken() }
        try await stage.broker.declare(broken)
        for number in 0..<count { try await broken.send(number, to: stage.broker) }
        try await stage.work()
        return broken
    }

    @Test func deadLettersAreWherePythonHasThem() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await fail(stage, 1)
            let letter = try #require(try await stage.transport.deadLetters().first)
            #expect(letter.reason.contains("Broken"))
            #expect(try letter.message().args == [0])
            let score = try await stage.redis.execute(RedisCommand("ZSCORE", "dramatiq:default.XQ", letter.id)).double()
            #expect(Int(score) == letter.timestamp)
            let bytes = try await stage.redis.execute(
                RedisCommand("HGET", "dramatiq:default.XQ.msgs", letter.id)
            ).bytes()
            #expect(try JSONMessageEncoder().decode(bytes).options["redis_message_id"]?.stringValue == letter.id)
            // One that Python put there has no reason.
            _ = try await stage.redis.pipeline([
                RedisCommand("ZADD", "dramatiq:default.XQ", 5, "python"),
                RedisCommand("HSET", "dramatiq:default.XQ.msgs", "python", "no message"),
            ])
            let other = try await stage.transport.deadLetter("python")
            #expect((other.reason, other.timestamp) == ("", 5))
            #expect(throws: DecodeError.self) { try other.message() }
        }
    }

    @Test func deadLettersAreListedInPages() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await fail(stage, 25)
            let all = try await stage.transport.deadLetters()
            #expect(all.count == 25)
            var pages: [String] = []
            for offset in stride(from: 0, to: 30, by: 10) {
                pages += try await stage.transport.deadLetters(offset: offset, limit: 10).map(\.id)
            }
            #expect(pages == all.map(\.id))
            #expect(try await stage.transport.deadLetters(queue: "other").isEmpty)
        }
    }

    @Test func deadLettersAreRequeuedAndRemoved() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await fail(stage, 5)
            let letters = try await stage.transport.deadLetters()
            try await stage.transport.requeueDeadLetter(letters[0].id)
            #expect(try await stage.transport.unfinishedCount() == 1)
            try await stage.transport.removeDeadLetter(letters[1].id)
            await #expect(throws: BrokerError.self) { try await stage.transport.requeueDeadLetter(letters[1].id) }
            await #expect(throws: BrokerError.self) { try await stage.transport.removeDeadLetter(letters[1].id) }
            #expect(try await stage.transport.requeueDeadLetters() == 3)
            #expect(try await stage.transport.unfinishedCount() == 4)
            try await stage.work()
            #expect(try await stage.transport.deadLetterCount() == 4)
            #expect(try await stage.transport.removeDeadLetters() == 4)
            #expect(try await stage.keys().filter { $0.contains("default") } == [])
        }
    }

    @Test func oldDeadLettersAreRemovedByWorkers() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, heartbeatTimeout: .milliseconds(200))
            _ = try await stage.redis.pipeline([
                RedisCommand("ZADD", "dramatiq:default.XQ", 5, "old"),
                RedisCommand("HSET", "dramatiq:default.XQ.msgs", "old", "x"),
                RedisCommand("ZADD", "dramatiq:default.XQ", 1e15, "new"),
                RedisCommand("HSET", "dramatiq:default.XQ.msgs", "new", "x"),
            ])
            try await withWorker(stage.worker) {
                try await eventually { try await stage.transport.deadLetterCount() == 1 }
            }
            #expect(try await stage.transport.deadLetters().map(\.id) == ["new"])
        }
    }

    /// A delayed message that can't be read goes to the queue's own dead letters: there is no `default.DQ.XQ`.
    @Test func deadLettersOfADelayQueueAreTheQueues() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.pipeline([
                RedisCommand("HSET", "dramatiq:default.DQ.msgs", "id", "no message"),
                RedisCommand("RPUSH", "dramatiq:default.DQ", "id"),
            ])
            try await stage.work()
            #expect(try await stage.transport.deadLetters().map(\.id) == ["id"])
        }
    }
}
