import Dramatiq
import DramatiqWorkflow
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

@testable import DramatiqRedis

/// What one commit does, and what it doesn't do twice.
@Suite(.timeLimit(.minutes(10))) struct RedisCommitTests {
    private func envelope(_ stage: RedisStage, _ name: String) async throws -> Envelope {
        try await stage.broker.envelope(stage.task.message(name), delay: nil)
    }

    /// The names of the tasks that wait in the queue, in order.
    private func waiting(_ stage: RedisStage) async throws -> [String] {
        let ids = try await stage.redis.execute(RedisCommand("LRANGE", "dramatiq:default", 0, -1)).array()
        let messages = try await stage.redis.pipeline(
            ids.map { RedisCommand("HGET", "dramatiq:default.msgs", try $0.string()) })
        return try messages.map {
            try JSONMessageEncoder().decode($0.get().bytes()).args.elements[0].stringValue ?? "?"
        }
    }

    @Test func everythingOfACommitHolds() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await stage.task.send("first", to: stage.broker)
            let (deliveries, consumer) = try await stage.take()
            let delivery = deliveries[0]
            let step = BarrierKey(key: "step", releaseKey: "step_ran", ttl: .seconds(100))
            let group = BarrierKey(key: "group", releaseKey: "group_ran", ttl: .seconds(100))
            _ = try await stage.backend.apply(
                StateCommit(store: stage.backend, creations: [.init(barrier: step, parties: 1)]))
            let result = try await stage.transport.end(
                delivery,
                sends: [try await envelope(stage, "retry")],
                successors: [try await envelope(stage, "a"), try await envelope(stage, "b")],
                state: StateCommit(
                    store: stage.backend,
                    arrival: .init(barrier: step, party: "m", releases: true),
                    creations: [.init(barrier: group, parties: 2)]))
            #expect(result == .committed)
            #expect(try await waiting(stage) == ["retry", "a", "b"])
            #expect(try await stage.redis.execute(RedisCommand("GET", "step_ran")).string() == "0")
            #expect(try await stage.redis.execute(RedisCommand("GET", "group")).string() == "2")
            #expect(try await stage.redis.execute(RedisCommand("GET", "group_ran")).string() == "-1")
            await #expect(throws: BrokerError.self) { try await stage.transport.end(delivery) }
            await consumer.close()
        }
    }

    @Test func aRepeatedSendIsRecognised() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            let faults = Mutex<[FaultyExecutor.Fault]>([.after, .before, .after])
            faulty.set { _ in faults.withLock { $0.popLast() } }
            try await stage.task.send("once", to: stage.broker)
            #expect(faults.withLock { $0.isEmpty })
            #expect(try await waiting(stage) == ["once"])
        }
    }

    /// Many messages go in steps, whatever else is handed over with them, and each step is recognised.
    @Test func aRepeatedSendOfManyIsRecognisedInOtherCompany() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            let one = try await envelope(stage, "one")
            let many = Envelopes((0..<6000).map { _ in one })
            var commit = Commit(sends: many)
            let faults = Mutex<[FaultyExecutor.Fault?]>([.after, nil])
            faulty.set { command in command.isCommit ? faults.withLock { $0.popLast() ?? nil } : nil }
            await #expect(throws: RedisError.self) { try await stage.transport.commit(commit) }
            commit.isRepeated = true
            let results = await stage.transport.commit([Commit(sends: [one]), commit, Commit(sends: many)])
            #expect(try results.map { try $0.get().status } == [.committed, .committed, .committed])
            #expect(try await stage.transport.unfinishedCount() == 12_001)
            // The server remembers what may be asked for again, and nothing else for long.
            for _ in 0..<2 { try await stage.transport.commit(Commit(sends: [one])) }
            let key = try #require(try await stage.keys().first { $0.contains("__commits__") })
            let tags = try await stage.redis.execute(RedisCommand("HKEYS", key)).array().map { try $0.string() }
            #expect(tags.filter { $0.contains(".") }.sorted() == ["\(commit.id.value).1", "\(commit.id.value).2"])
        }
    }

    /// The answer to a fetch is lost: the messages are this worker's and it doesn't know. It finds them.
    @Test func messagesWhoseDeliveryWasLostAreFound() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            try await stage.broker.enqueue((0..<1400).map { stage.task.message("\($0)") })
            let consumer = try await stage.transport.consumer(of: "default", prefetch: 2000)
            faulty.set { _ in .after }
            await #expect(throws: RedisError.self) { try await consumer.next(limit: 1200) }
            await #expect(throws: RedisError.self) { try await consumer.next(limit: 1200) }
            faulty.set { _ in nil }
            var ids: Set<String> = []
            var total = 0
            while total < 1400 {
                for delivery in try await consumer.next(limit: 2000) {
                    ids.insert(try delivery.message(decoder: JSONMessageEncoder()).messageID)
                    total += 1
                }
            }
            #expect(ids.count == 1400)
            await consumer.close()
            #expect(try await waiting(stage).count == 1400)
        }
    }

    /// A worker that was silent for too long: another one has its message, and what the first one settles is ignored.
    @Test func aDeliveryThatWasTakenOverChangesNothing() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await stage.task.send("a", to: stage.broker)
            let (deliveries, consumer) = try await stage.take()
            let delivery = deliveries[0]
            // What a reaper does.
            let key = try #require(try await stage.keys().first { $0.contains("__acks__") })
            let id = try await stage.redis.execute(RedisCommand("SPOP", key)).string()
            _ = try await stage.redis.execute(RedisCommand("RPUSH", "dramatiq:default", id))
            let step = BarrierKey(key: "step", releaseKey: "step_ran", ttl: .seconds(100))
            _ = try await stage.backend.apply(
                StateCommit(store: stage.backend, creations: [.init(barrier: step, parties: 1)]))
            let commit = Commit(
                end: Commit.End(delivery, .acknowledge),
                successors: [try await envelope(stage, "next")],
                state: StateCommit(
                    store: stage.backend, arrival: .init(barrier: step, party: "m", releases: true)))
            await #expect(throws: BrokerError.self) { try await stage.transport.commit(commit) }
            #expect(try await waiting(stage) == ["a"])
            #expect(try await stage.redis.execute(RedisCommand("GET", "step_ran")).string() == "-1")
            await consumer.close()
        }
    }

    @Test func aBarrierThatVanishedIsAnErrorAndTheMessageIsKept() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await Workflow(Chain(stage.task.message("1"), stage.task.message("2")), broker: stage.broker).run()
            for key in try await stage.keys() where key.hasSuffix("_ran") {
                _ = try await stage.redis.execute(RedisCommand("DEL", key, String(key.dropLast(4))))
            }
            try await stage.work()
            #expect(stage.ran.values == ["1"])
            let letter = try #require(try await stage.transport.deadLetters().first)
            #expect(letter.reason.contains("is not in the backend"))
            #expect(try letter.message().args.elements == ["1"])
        }
    }

    /// A server whose memory is full refuses what needs more, says so, and still lets workers finish.
    @Test func aFullServerLosesNothing() async throws {
        try await withRedisServer(.small) { server in
            let stage = try await RedisStage(server)
            var sent = 0
            let filler = String(repeating: "x", count: 2000)
            do {
                while sent < 5000 {
                    try await stage.task.send("\(sent) \(filler)", to: stage.broker)
                    sent += 1
                }
            } catch let error as RedisError {
                #expect(error.serverCode == "OOM")
                #expect(error.isTransient)
            }
            #expect(sent > 10 && sent < 5000)
            try await stage.work()
            #expect(Set(stage.ran.values).count == sent)
            #expect(stage.ran.count == sent)
        }
    }

    @Test func aFanOutWaitsForMemoryAndASingleStepDoesNot() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await stage.broker.enqueue((0..<3).map { stage.task.message("\($0)") })
            let (deliveries, consumer) = try await stage.take(3)
            let fan = Commit(
                end: Commit.End(deliveries[0], .acknowledge),
                sends: [try await envelope(stage, "a"), try await envelope(stage, "b")])
            _ = try await stage.redis.execute(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            let error = await #expect(throws: RedisError.self) { try await stage.transport.commit(fan) }
            #expect(error?.isTransient == true)
            #expect(
                try await stage.transport.end(deliveries[1], sends: [try await envelope(stage, "retry")]) == .committed)
            #expect(
                try await stage.transport.end(deliveries[2], .reject(reason: "r")) == .committed
            )
            _ = try await stage.redis.execute(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            #expect(try await stage.transport.commitAgain(fan).status == .committed)
            #expect(try await waiting(stage) == ["retry", "a", "b"])
            await consumer.close()
        }
    }

    @Test func largeCommitsAreDoneAsAWhole() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await stage.broker.enqueue((0..<12_000).map { stage.task.message("\($0)") })
            let names = try await waiting(stage)
            #expect(names.count == 12_000)
            #expect(zip(names, 0...).first { $0 != "\($1)" } == nil)
        }
    }
}
