import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RedisDeadLetterTests {
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
            #expect(letter.timestamp == Date(milliseconds: score))
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
            #expect((other.reason, other.timestamp) == ("", Date(milliseconds: 5)))
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

    /// A dead letter as Python leaves one: after all of its retries.
    private func put(_ stage: RedisStage, _ id: String, _ bytes: [UInt8]) async throws {
        _ = try await stage.redis.pipeline([
            RedisCommand("ZADD", "dramatiq:default.XQ", SystemClock.milliseconds(), id),
            RedisCommand("HSET", "dramatiq:default.XQ.msgs", id, bytes),
        ])
    }

    private func message(_ id: String, queue: String = "default", _ more: MessageOptions = [:]) -> Message {
        let leftovers: MessageOptions = [
            "mine": 1, "retries": 20, "traceback": "…", "requeue_timestamp": 5, "redis_message_id": .string(id),
        ]
        return Message(queueName: queue, actorName: "task", args: [.string(id)], options: leftovers.merging(more))
    }

    private func waiting(_ stage: RedisStage, _ queue: String = "default") async throws -> [[UInt8]] {
        let ids = try await stage.redis.execute(RedisCommand("LRANGE", "dramatiq:\(queue)", 0, -1)).array()
        var all: [[UInt8]] = []
        for id in ids {
            let bytes = try await stage.redis.execute(
                RedisCommand("HGET", "dramatiq:\(queue).msgs", try id.string())
            ).bytes()
            all.append(bytes)
        }
        return all
    }

    @Test func aRequeuedDeadLetterGetsItsRetriesAnew() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await put(stage, "a", JSONMessageEncoder().encode(message("a")))
            try await put(stage, "b", Array("no message".utf8))
            try await stage.transport.requeueDeadLetter("a")
            #expect(try await stage.transport.requeueDeadLetters() == 1)
            let all = try await waiting(stage)
            #expect(try JSONMessageEncoder().decode(all[0]).options == ["mine": 1, "redis_message_id": "a"])
            #expect(all[1] == Array("no message".utf8))
            await #expect(throws: BrokerError.self) { try await stage.transport.requeueDeadLetter("a") }
            try await stage.work()
            #expect(stage.ran.values == ["a"])
            #expect(try await stage.transport.deadLetters().map(\.id) == ["b"])
        }
    }

    /// Bytes that say of themselves what they are.
    private struct Marked: Compressor {
        let name = "marked"
        func recognizes(_ bytes: [UInt8]) -> Bool { bytes.first == UInt8(ascii: "*") }
        func compress(_ bytes: [UInt8]) throws -> [UInt8] { [UInt8(ascii: "*")] + bytes }
        func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] { Array(bytes.dropFirst()) }
    }

    @Test func aRequeuedDeadLetterKeepsItsFormat() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let marked = CompressedMessageEncoder(Marked(), minSize: 1_000_000)
            let encoders: [any MessageEncoder] = [
                marked, MultiFormatMessageEncoder(writing: JSONMessageEncoder(), reading: marked),
            ]
            for encoder in encoders {
                let plain = try JSONMessageEncoder().encode(message("plain"))
                try await put(stage, "plain", plain)
                try await Task.sleep(for: .milliseconds(2))
                try await put(stage, "marked", [UInt8(ascii: "*")] + JSONMessageEncoder().encode(message("marked")))
                #expect(try await stage.transport.requeueDeadLetters(encoder: encoder) == 2)
                let all = try await waiting(stage)
                #expect(all.map(\.first) == [UInt8(ascii: "{"), UInt8(ascii: "*")])
                for bytes in all { #expect(try encoder.decode(bytes).options["retries"] == nil) }
                _ = try await stage.redis.execute(RedisCommand("FLUSHALL"))
            }
        }
    }

    @Test func aDelayedDeadLetterWaitsForItsTime() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let now = SystemClock.milliseconds()
            for (id, eta) in [("past", now - 5), ("future", now + 600_000)] {
                let message = message(id, queue: "default.DQ", ["eta": .integer(eta)])
                try await put(stage, id, JSONMessageEncoder().encode(message))
            }
            #expect(try await stage.transport.requeueDeadLetters() == 2)
            let due = try await waiting(stage).map { try JSONMessageEncoder().decode($0) }
            #expect(due.map(\.args) == [["past"]])
            #expect(due[0].queueName == "default")
            #expect(due[0].options["eta"] == nil)
            let later = try await waiting(stage, "default.DQ").map { try JSONMessageEncoder().decode($0) }
            #expect(later.map(\.args) == [["future"]])
            #expect(later[0].queueName == "default.DQ")
            #expect(later[0].options["eta"]?.intValue == now + 600_000)
        }
    }

    /// Page by page, also if a single message is larger than a page.
    @Test func manyAndLargeDeadLettersAreRequeued() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            for number in 0..<1203 {
                var message = message("\(number)")
                if number % 600 == 7 { message.options["mine"] = .string(String(repeating: "x", count: 9 << 20)) }
                try await put(stage, "\(number)", JSONMessageEncoder().encode(message))
            }
            _ = try await stage.redis.execute(RedisCommand("ZADD", "dramatiq:default.XQ", 1, "gone"))
            #expect(try await stage.transport.requeueDeadLetters() == 1203)
            #expect(try await stage.transport.unfinishedCount() == 1203)
            #expect(try await stage.keys().filter { $0.contains("XQ") } == [])
        }
    }
}
