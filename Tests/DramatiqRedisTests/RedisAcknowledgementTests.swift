import Dramatiq
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

@testable import DramatiqRedis

/// Acknowledgements that many messages share.
@Suite(.timeLimit(.minutes(10))) struct RedisAcknowledgementTests {
    private final class Owner: CommitOwner {
        let acknowledged = Recorder<Int>()
        let others = Recorder<Commit>()

        func didCommit(_ count: Int) {
            acknowledged.add(count)
        }

        func didCommit(
            _ commit: Commit, _ token: any AnyObject & Sendable, _ result: Result<CommitResult, any Error>
        ) {
            others.add(commit)
        }

        var count: Int { acknowledged.values.reduce(0, +) + others.count }
    }

    private func acknowledge(_ delivery: Delivery, _ stage: RedisStage, _ owner: Owner) {
        stage.broker.pipeline.submit(Commit(.acknowledge, delivery), token: owner, owner)
    }

    @Test func manyGoTogether() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: HeldExecutor.init)
            let held = try #require(stage.executor as? HeldExecutor)
            let (deliveries, consumer) = try await stage.sendAndTake(2000)
            let owner = Owner()
            held.hold()
            for delivery in deliveries { acknowledge(delivery, stage, owner) }
            try await eventually { held.heldCount == 2 }
            held.letGo()
            try await eventually { owner.count == 2000 }
            #expect(owner.others.count == 0)
            // Each script takes what is there, up to its limit.
            #expect(owner.acknowledged.count <= 6)
            #expect(try await stage.transport.unfinishedCount() == 0)
            await #expect(throws: BrokerError.self) { try await stage.transport.end(deliveries[0]) }
            await consumer.close()
        }
    }

    /// Messages that somebody else has by now are told apart from those that are done.
    @Test(arguments: [false, true])
    func thoseThatWereTakenOverAreKept(isOldServer: Bool) async throws {
        var setup = RedisServer.Setup.plain
        if isOldServer { setup.directives = ["rename-command SMISMEMBER \"\""] }
        try await withRedisServer(setup) { server in
            let stage = try await RedisStage(server)
            let (deliveries, consumer) = try await stage.sendAndTake(20)
            let key = try #require(try await stage.keys().first { $0.contains("__acks__") })
            let lost = Set(
                try await stage.redis.execute(RedisCommand("SPOP", key, 5)).array().map { try $0.string() })
            let owner = Owner()
            for delivery in deliveries { acknowledge(delivery, stage, owner) }
            try await eventually { owner.count == 20 }
            let kept = Set(
                try owner.others.values.compactMap {
                    try $0.end?.delivery.message(decoder: JSONMessageEncoder()).options["redis_message_id"]?.stringValue
                })
            #expect(kept == lost)
            let left = try await stage.redis.execute(RedisCommand("HKEYS", "dramatiq:default.msgs")).array()
            #expect(Set(try left.map { try $0.string() }) == lost)
            // Whoever asks again learns it.
            for commit in owner.others.values {
                await #expect(throws: BrokerError.self) { try await stage.transport.commit(commit) }
            }
            await consumer.close()
        }
    }

    @Test func oneWhoseAnswerWasLostIsDoneAgain() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            let (deliveries, consumer) = try await stage.sendAndTake(2)
            let owner = Owner()
            faulty.set { $0.isCommit ? .after : nil }
            acknowledge(deliveries[0], stage, owner)
            try await eventually { owner.count == 1 }
            faulty.set { $0.isCommit ? .before : nil }
            acknowledge(deliveries[1], stage, owner)
            try await eventually { owner.count == 2 }
            faulty.set { _ in nil }
            #expect(owner.others.count == 2)
            for commit in owner.others.values {
                #expect(try await stage.transport.commitAgain(commit).status == .committed)
            }
            #expect(try await stage.transport.unfinishedCount() == 0)
            await consumer.close()
        }
    }

    /// While nothing is acknowledged, a worker doesn't run ahead: a crash then would repeat all of it.
    @Test func aServerThatIsSilentStopsAWorker() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: HeldExecutor.init)
            let held = try #require(stage.executor as? HeldExecutor)
            try await stage.broker.enqueue((0..<100).map { stage.task.message("\($0)") })
            held.hold()
            try await withWorker(Worker(stage.broker, concurrency: 3, prefetch: 50)) {
                // Three that are done, and one more of each processor that waits for its place.
                try await eventually { stage.ran.count == 6 }
                try await giveItAChance()
                #expect(stage.ran.count == 6)
                held.letGo()
                try await stage.transport.join()
            }
            #expect(stage.ran.count == 100)
            #expect(Set(stage.ran.values).count == 100)
        }
    }

    /// A shutdown waits for them: what is done must not go back to its queue.
    @Test func aShutdownWaitsForThem() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: HeldExecutor.init)
            let held = try #require(stage.executor as? HeldExecutor)
            try await stage.broker.enqueue((0..<2).map { stage.task.message("\($0)") })
            held.hold()
            let hasEnded = Mutex(false)
            let work = Task {
                try await Worker(stage.broker, concurrency: 2).run()
                hasEnded.withLock { $0 = true }
            }
            try await eventually { stage.ran.count == 2 && held.heldCount > 0 }
            work.cancel()
            try await giveItAChance()
            #expect(hasEnded.withLock { $0 } == false)
            held.letGo()
            try await work.value
            #expect(try await stage.transport.unfinishedCount() == 0)
            #expect(stage.ran.count == 2)
        }
    }

    /// Answers are lost again and again, and nothing is lost or done twice for it.
    @Test func faultsLoseNothing() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            try await stage.broker.enqueue((0..<2000).map { stage.task.message("\($0)") })
            let dice = Mutex(TestSeed(7).generator)
            faulty.set { command in
                guard command.isCommit else { return nil }
                return switch dice.withLock({ Int.random(in: 0..<10, using: &$0) }) {
                case 0, 1: .before
                case 2, 3: .after
                default: nil
                }
            }
            try await stage.work()
            #expect(stage.ran.count == 2000, "\(TestSeed(7))")
            #expect(Set(stage.ran.values).count == 2000)
            #expect(try await stage.transport.deadLetterCount() == 0)
        }
    }
}
