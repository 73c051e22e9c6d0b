import Dramatiq
import Foundation
import RedisTestSupport
import TestSupport
import Testing

@testable import DramatiqRedis

/// Queues that are paused on a server, besides what `OperationsPromises` has about them.
@Suite(.timeLimit(.minutes(10))) struct RedisPauseTests {
    /// What was sent before the queue was paused and what comes later, over processes.
    @Test func workersInOtherProcessesObey() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            let end = URL.temporaryDirectory.appending(path: "end-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: end) }
            try await fleet.sendTasks(0..<1, milliseconds: -1)
            try await fleet.sendTasks(1..<6, milliseconds: 0)
            let first = try fleet.startWorker(concurrency: 1, holdingUntil: end, options: ["prefetch=10"])
            try await eventually { try await fleet.lives()[0] != nil }
            try await eventually { try await fleet.transport.status().inFlight == 6 }
            try await fleet.broker.pause(queue: "default")
            try await eventually {
                let status = try await fleet.transport.status()
                return status.waiting == 5 && status.inFlight == 1
            }
            let second = try fleet.startWorker(concurrency: 1)
            try await eventually { try await fleet.transport.workers().count == 2 }
            try await fleet.sendTasks(6..<7, milliseconds: 0)
            try Data().write(to: end)
            try await eventually { try await fleet.lives()[0]?.ends == 1 }
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await fleet.lives().count == 1)
            // Who began while it was paused is told as well.
            first.kill()
            try await fleet.broker.resume(queue: "default")
            try await fleet.broker.join(queue: "default", timeout: .patience)
            let lives = try await fleet.lives()
            #expect((0..<7).filter { lives[$0]?.ends != 1 } == [])
            second.kill()
        }
    }

    /// A message waits, and nobody asks for it again and again.
    @Test func aPausedQueueCostsNextToNothing() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await withWorker(stage.worker) {
                try await stage.task.send("before", to: stage.broker)
                try await eventually { stage.ran.count == 1 }
                try await stage.broker.pause(queue: "default")
                for name in ["a", "b"] { try await stage.task.send(name, to: stage.broker) }
                try await Task.sleep(for: .milliseconds(500))
                _ = try await stage.redis.execute(RedisCommand("CONFIG", "RESETSTAT"))
                try await Task.sleep(for: .seconds(2))
                let stats = try await stage.redis.execute(RedisCommand("INFO", "commandstats")).string()
                let calls = stats.matches(of: #/calls=(\d+)/#).compactMap { Int($0.output.1) }.reduce(0, +)
                #expect(calls < 50, "\(stats)")
                #expect(stage.ran.count == 1)
                try await stage.broker.resume(queue: "default")
                try await stage.broker.join(queue: "default", timeout: .patience)
            }
            #expect(stage.ran.values.sorted() == ["a", "b", "before"])
        }
    }

    /// A server that can't be waited for is asked at intervals.
    @Test func anOldServerKnowsPausesToo() async throws {
        var setup = RedisServer.Setup.plain
        setup.directives = ["rename-command BLMOVE \"\""]
        try await withRedisServer(setup) { server in
            let stage = try await RedisStage(server)
            try await stage.broker.pause(queue: "default")
            try await withWorker(stage.worker) {
                try await stage.task.send("a", to: stage.broker)
                try await Task.sleep(for: .milliseconds(300))
                #expect(stage.ran.count == 0)
                try await stage.broker.resume(queue: "default")
                try await stage.broker.join(queue: "default", timeout: .patience)
            }
            #expect(stage.ran.values == ["a"])
        }
    }

    @Test func othersStillGetTheirNextMessageAtOnce() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await stage.broker.pause(queue: "other")
            let (deliveries, consumer) = try await stage.sendAndTake(1)
            let next = try await stage.broker.envelope(stage.task.message("next"), delay: nil)
            var commit = Commit(end: Commit.End(deliveries[0], .acknowledge), successors: [next])
            commit.relay = consumer
            #expect(try await stage.transport.commit(commit).relayed != nil)
            await consumer.close()
        }
    }

    /// Two messages of a kind that is processed one at a time are given back while one waits for its turn.
    @Test func suspectsGoBackAndHaveTheirTurnLater() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let gate = Gate()
            let long = TaskActor("long") { try await gate.wait() }
            try await stage.broker.declare(long)
            try await long.send(to: stage.broker)
            try await stage.broker.enqueue(["a", "b", "c"].map { stage.task.message($0) })
            let ids = try await stage.redis.execute(RedisCommand("LRANGE", "dramatiq:default", 1, 2)).array()
            for id in ids {
                _ = try await stage.redis.execute(
                    RedisCommand("HSET", "dramatiq:__redelivered__.default", try id.string(), 1))
            }
            try await withWorker(Worker(stage.broker, concurrency: 1, prefetch: 10)) {
                try await eventually { try await stage.transport.status().inFlight == 4 }
                try await stage.broker.pause(queue: "default")
                try await eventually { try await stage.transport.status().waiting == 3 }
                gate.open()
                try await eventually { try await stage.transport.status().inFlight == 0 }
                #expect(stage.ran.count == 0)
                try await stage.broker.resume(queue: "default")
                try await stage.broker.join(queue: "default", timeout: .patience)
            }
            #expect(Set(stage.ran.values) == ["a", "b", "c"])
            #expect(stage.ran.count == 3)
            #expect(try await stage.keys().filter { $0.contains("__redelivered__") } == [])
        }
    }

    /// The answers to what gives messages back are lost. Given back again, they are recognised.
    @Test func whatGoesBackIsNotLostWithAnAnswer() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            let gate = Gate()
            let long = TaskActor("long") { try await gate.wait() }
            try await stage.broker.declare(long)
            let names = (0..<5).map { "\($0)" }
            try await stage.broker.enqueue([long.message()] + names.map { stage.task.message($0) })
            let lost = Recorder<Void>()
            try await withWorker(Worker(stage.broker, concurrency: 1, prefetch: 10)) {
                try await eventually { try await stage.transport.status().inFlight == 6 }
                faulty.set { $0.isCommit && lost.add(()) <= 3 ? .after : nil }
                try await stage.broker.pause(queue: "default")
                try await eventually { lost.count > 3 }
                try await eventually { try await stage.transport.status().waiting == 5 }
                gate.open()
                try await eventually {
                    !stage.transport.ledger.holdsSomething(taken: "\(stage.transport.id).default")
                }
                try await stage.broker.resume(queue: "default")
                try await stage.broker.join(queue: "default", timeout: .patience)
            }
            #expect(stage.ran.values == names)
        }
    }

    @Test func aFullServerCanBePaused() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.execute(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            try await stage.broker.pause(queue: "default")
            #expect(try await stage.transport.status().isPaused)
            try await stage.broker.resume(queue: "default")
            #expect(try await !stage.transport.status().isPaused)
            _ = try await stage.redis.execute(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
        }
    }

    /// Somebody else has written something where the paused queues are kept.
    @Test func aForeignKeyIsNamedAndKeepsNoOneFromSending() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let (deliveries, consumer) = try await stage.sendAndTake(1)
            _ = try await stage.redis.execute(RedisCommand("SET", "dramatiq:__paused__", "1"))
            let status = try await stage.transport.status()
            #expect(status.problems.count == 1 && status.problems[0].contains("dramatiq:__paused__"))
            #expect(!status.isPaused && status.inFlight == 1)
            // Nothing of a commit is done that would get the next message.
            let next = try await stage.broker.envelope(stage.task.message("next"), delay: nil)
            var commit = Commit(
                end: Commit.End(deliveries[0], .acknowledge), sends: [next], successors: [next])
            commit.relay = consumer
            let refused = await stage.transport.commit([commit])
            #expect(throws: RedisError.self) { try refused[0].get() }
            #expect(try await stage.transport.unfinishedCount() == 1)
            try await stage.task.send("a", to: stage.broker)
            await #expect(throws: RedisError.self) { try await consumer.next(limit: 1) }
            _ = try await stage.redis.execute(RedisCommand("DEL", "dramatiq:__paused__"))
            #expect(try await consumer.next(limit: 1).count == 1)
            await consumer.close()
        }
    }
}
