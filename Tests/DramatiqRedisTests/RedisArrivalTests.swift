import Dramatiq
import DramatiqWorkflow
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

@testable import DramatiqRedis

/// Arrivals at a barrier that many messages share a step for.
@Suite(.timeLimit(.minutes(10))) struct RedisArrivalTests {
    /// Messages that are taken, and a barrier that they arrive at.
    private struct Setting {
        let stage: RedisStage
        let deliveries: [Delivery]
        let consumer: any TransportConsumer
        let barrier = BarrierKey(key: "group", releaseKey: "group_ran", ttl: .seconds(100))

        init(_ server: RedisServer, messages: Int, parties: Int) async throws {
            stage = try await RedisStage(server)
            (deliveries, consumer) = try await stage.sendAndTake(messages)
            _ = try await stage.backend.apply(
                StateCommit(store: stage.backend, creations: [.init(barrier: barrier, parties: parties)]))
        }

        func arrival(_ index: Int, _ party: String) -> Commit {
            Commit(
                end: Commit.End(deliveries[index], .acknowledge),
                state: StateCommit(
                    store: stage.backend, arrival: .init(barrier: barrier, party: party, releases: false)))
        }

        /// Lets messages arrive together, each as the party of its place unless said otherwise.
        ///
        /// - Returns: what became of each.
        func arrive(
            _ party: (Int) -> String = { "\($0)" }
        ) async -> [Result<CommitResult.Status, any Error>] {
            await stage.transport.commit(deliveries.indices.map { arrival($0, party($0)) })
                .map { result in result.map(\.status) }
        }

        /// How many parties are left, and how many have come.
        func parties() async throws -> [Int] {
            let left = try await stage.redis.execute(RedisCommand("GET", "group")).string()
            return [
                try #require(Int(left)),
                try await stage.redis.execute(RedisCommand("SCARD", "group_arrived")).integer(),
            ]
        }
    }

    @Test(arguments: [false, true]) func allAreCounted(isOldServer: Bool) async throws {
        var setup = RedisServer.Setup.plain
        if isOldServer { setup.directives = ["rename-command SMISMEMBER \"\""] }
        try await withRedisServer(setup) { server in
            let setting = try await Setting(server, messages: 600, parties: 601)
            let results = await setting.arrive()
            #expect(try results.allSatisfy { try $0.get() == .committed })
            #expect(try await setting.parties() == [1, 600])
            #expect(try await setting.stage.transport.unfinishedCount() == 0)
            await #expect(throws: BrokerError.self) {
                try await setting.stage.transport.end(setting.deliveries[0])
            }
            await setting.consumer.close()
        }
    }

    @Test func theLastOneOpensIt() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, messages: 40, parties: 40)
            let results = await setting.arrive()
            let opened = try results.indices.filter { try results[$0].get() == .opened }
            #expect(opened.count == 1)
            // It is still held, until what follows is settled with it.
            #expect(try await setting.stage.transport.status(queue: "default").inFlight == 1)
            let next = try await setting.stage.broker.envelope(setting.stage.task.message("next"), delay: nil)
            let result = try await setting.stage.transport.end(
                setting.deliveries[try #require(opened.first)], successors: [next],
                state: StateCommit(store: setting.stage.backend, releases: [setting.barrier]))
            #expect(result == .committed)
            let status = try await setting.stage.transport.status(queue: "default")
            #expect((status.waiting, status.inFlight) == (1, 0))
            await setting.consumer.close()
        }
    }

    @Test func aPartyIsCountedOnce() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, messages: 20, parties: 30)
            let results = await setting.arrive { "\($0 / 2)" }
            #expect(try results.allSatisfy { try $0.get() == .committed })
            #expect(try await setting.parties() == [20, 10])
            await setting.consumer.close()
        }
    }

    /// One message is somebody else's by now, another was removed.
    @Test func onesThatAreNotHeldDoNotCount() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, messages: 10, parties: 30)
            let ids = try setting.deliveries.map {
                try #require(
                    try $0.message(decoder: JSONMessageEncoder()).options["redis_message_id"]?.stringValue)
            }
            let key = try #require(try await setting.stage.keys().first { $0.contains("__acks__") })
            _ = try await setting.stage.redis.execute(RedisCommand("SREM", key, ids[3]))
            _ = try await setting.stage.redis.execute(RedisCommand("HDEL", "dramatiq:default.msgs", ids[7]))
            let results = await setting.arrive()
            for (index, result) in results.enumerated() {
                if index == 3 || index == 7 {
                    #expect(throws: BrokerError.self) { try result.get() }
                } else {
                    #expect(try result.get() == .committed)
                }
            }
            #expect(try await setting.parties() == [22, 8])
            let left = try await setting.stage.redis.execute(RedisCommand("HKEYS", "dramatiq:default.msgs")).array()
            #expect(try left.map { try $0.string() } == [ids[3]])
            await setting.consumer.close()
        }
    }

    @Test func aBarrierThatVanishedKeepsAllMessages() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, messages: 10, parties: 30)
            _ = try await setting.stage.redis.execute(RedisCommand("DEL", "group", "group_ran"))
            for result in await setting.arrive() {
                #expect(throws: BarrierStateLost(key: "group")) { try result.get() }
            }
            #expect(try await setting.stage.transport.status(queue: "default").inFlight == 10)
            await setting.consumer.close()
        }
    }

    /// The answers are lost. Committed again, each learns what became of it, and is not counted again.
    @Test func lostAnswersAreFoundAgain() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            try await stage.task.send("only", to: stage.broker)
            let consumer = try await stage.transport.consumer(of: "default", prefetch: 1)
            let delivery = try await consumer.next(limit: 1)[0]
            let barrier = BarrierKey(key: "group", releaseKey: "group_ran", ttl: .seconds(100))
            _ = try await stage.backend.apply(
                StateCommit(store: stage.backend, creations: [.init(barrier: barrier, parties: 3)]))
            let commit = Commit(
                end: Commit.End(delivery, .acknowledge),
                state: StateCommit(
                    store: stage.backend, arrival: .init(barrier: barrier, party: "p", releases: false)))
            faulty.set { $0.isCommit ? .after : nil }
            await #expect(throws: RedisError.self) { try await stage.transport.commit(commit) }
            faulty.set { _ in nil }
            #expect(try await stage.transport.commitAgain(commit).status == .committed)
            #expect(try await stage.redis.execute(RedisCommand("GET", "group")).string() == "2")
            await consumer.close()
        }
    }

    /// What became of commits is remembered on the server only for as long as somebody may ask.
    @Test func nothingIsRememberedForGood() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            for round in 0..<30 {
                let members = (0..<3).map { WorkflowNode.message(stage.task.message("\(round).\($0)")) }
                try await Workflow(Chain(Group(children: members), stage.task.message("end")), broker: stage.broker)
                    .run()
            }
            try await withWorker(stage.worker) {
                try await stage.transport.join()
                // Each of these tells the server what it may forget.
                for _ in 0..<3 { try await stage.task.send("last", to: stage.broker) }
                try await stage.transport.join()
            }
            for key in try await stage.keys() where key.contains("__commits__") {
                #expect(try await stage.redis.execute(RedisCommand("HLEN", key)).integer() < 10)
            }
        }
    }

    /// Groups of all sizes around what goes into one step, with lost commands and answers, on few processors and many.
    @Test(arguments: [1, 3, 40]) func groupsEndOnce(concurrency: Int) async throws {
        try await withRedisServer { server in
            for size in [1, 2, 3, 10, 249, 250, 251, 600] {
                let stage = try await RedisStage(server, namespace: "n\(size)", wrapping: FaultyExecutor.init)
                let faulty = try #require(stage.executor as? FaultyExecutor)
                let members = (0..<size).map { WorkflowNode.message(stage.task.message("\($0)")) }
                try await Workflow(Chain(Group(children: members), stage.task.message("end")), broker: stage.broker)
                    .run()
                let count = Mutex(0)
                faulty.set { command in
                    guard command.isCommit else { return nil }
                    let number = count.withLock { count in
                        count += 1
                        return count
                    }
                    return number % 5 == 1 ? .before : number % 7 == 0 ? .after : nil
                }
                try await withWorker(
                    Worker(
                        stage.broker, concurrency: concurrency, prefetch: 300,
                        transitionRetries: stage.worker.transitionRetries)
                ) {
                    try await stage.transport.join(timeout: .patience)
                }
                #expect(stage.ran.count == size + 1, "\(size)")
                #expect(stage.ran.values.last == "end", "\(size)")
            }
        }
    }
}
