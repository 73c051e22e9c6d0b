import Dramatiq
import DramatiqDedupStorage
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// On a server, what can still arrive at a barrier keeps it and what is stored for it.
@Suite(.timeLimit(.minutes(10))) struct RedisLifetimeTests {
    private struct Broken: Error {}

    private static let day = 86_400_000
    /// How long a barrier is kept for a message in a queue: two weeks and a day, to within an hour.
    private static let base = 15 * day - 3_600_000

    /// For how long each key lives that belongs to a workflow, in milliseconds.
    private func lives(_ stage: RedisStage) async throws -> [String: Int] {
        var lives: [String: Int] = [:]
        for key in try await stage.keys() where !key.hasPrefix("dramatiq:") || key.contains("__workflows__") {
            lives[key] = try await stage.redis.execute(RedisCommand("PTTL", key)).integer()
        }
        return lives
    }

    /// As an arrival in Python does, and as time does.
    private func shorten(_ stage: RedisStage) async throws {
        for key in try await lives(stage).keys {
            _ = try await stage.redis.execute(RedisCommand("PEXPIRE", key, 900_000))
        }
    }

    private func stage(_ server: RedisServer) async throws -> RedisStage {
        try await RedisStage(
            server, storage: DedupCallbackStorage(RedisWorkflowStore(RedisClient(url: server.url)), inlineLimit: 0))
    }

    @Test(arguments: [WorkflowFailurePolicy.halt, .failFast])
    func aDeadLetterKeepsWhatItNeedsForAsLongAsItCanBeRequeued(policy: WorkflowFailurePolicy) async throws {
        try await withRedisServer { server in
            let stage = try await stage(server)
            let fails = TaskActor("fails", options: [.maxRetries(0)]) { (_: String) in throw Broken() }
            try await stage.broker.declare(fails)
            try await Workflow(
                Chain(Group(fails.message("a"), stage.task.message("b")), stage.task.message("c")),
                failurePolicy: policy, broker: stage.broker
            ).run()
            try await shorten(stage)
            try await stage.work()
            let lives = try await lives(stage)
            // If the run has failed before b began, that was put aside, and has not arrived.
            let held = lives.keys.count { $0.hasSuffix("_held") }
            let arrived = lives.keys.count { $0.hasSuffix("_arrived") }
            #expect(arrived + held == 1)
            #expect(lives.count == 12, "three barriers, who arrived at one, what follows, and four keys of the run")
            for (key, life) in lives { #expect(life > Self.base + 7 * Self.day, "\(key)") }
        }
    }

    /// In one run of the script, too: what records the first party is kept as long as its barrier.
    @Test func aPartyThatComesRightAfterARefreshIsForgottenWithItsBarrier() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            for before in [Duration.seconds(900), .seconds(86_400)] {
                let key = UniqueID.make()
                func barrier(_ ttl: Duration) -> BarrierKey { BarrierKey(key: key, releaseKey: "\(key)_ran", ttl: ttl) }
                func commit(_ steps: StateCommit) -> Commit { Commit(state: steps) }
                let (backend, day) = (stage.backend, barrier(.seconds(86_400)))
                let creation = StateCommit.Creation(barrier: barrier(before), parties: 3)
                let arrivals = ["a", "b"].map { StateCommit.Arrival(barrier: day, party: $0, releases: true) }
                let results = await stage.transport.commit(
                    [commit(StateCommit(store: backend, creations: [creation], refreshes: [day]))]
                        + arrivals.map { commit(StateCommit(store: backend, arrival: $0)) })
                for result in results { _ = try result.get() }
                let life = try await stage.redis.execute(RedisCommand("PTTL", "\(key)_arrived")).integer()
                #expect(life > Self.day - 7_200_000, "created for \(before)")
            }
        }
    }

    @Test func aRetryKeepsWhatItNeeds() async throws {
        try await withRedisServer { server in
            let stage = try await stage(server)
            let week = Duration.seconds(7 * 86_400)
            let fails = TaskActor("fails", options: [.minBackoff(week), .maxBackoff(week)]) { (_: String) in
                throw Broken()
            }
            try await stage.broker.declare(fails)
            try await Workflow(
                Chain(Chain(fails.message("a"), stage.task.message("b")), stage.task.message("c")),
                broker: stage.broker
            ).run()
            try await shorten(stage)
            try await withWorker(stage.worker) {
                try await eventually {
                    try await stage.redis.execute(RedisCommand("HLEN", "dramatiq:default.DQ.msgs")).integer() == 1
                }
            }
            let lives = try await lives(stage)
            #expect(lives.count == 9, "three barriers, what follows, and two keys of the run")
            // Half of the longest wait is the shortest.
            for (key, life) in lives { #expect(life > Self.base + 7 * Self.day / 2, "\(key)") }
        }
    }

    @Test func aDelayKeepsWhatItNeedsAndAnArrivalDoesNotShortenIt() async throws {
        try await withRedisServer { server in
            let stage = try await stage(server)
            let task = stage.task
            let year = Duration.seconds(365 * 86_400)
            try await Workflow(
                Chain(
                    Group(WithDelay(task.message("a"), delay: year), task.message("b"), task.message("c")),
                    task.message("d")),
                broker: stage.broker
            ).run()
            try await withWorker(stage.worker) {
                try await eventually {
                    try await stage.redis.execute(RedisCommand("HLEN", "dramatiq:default.msgs")).integer() == 0
                }
            }
            #expect(stage.ran.values.sorted() == ["b", "c"])
            let lives = try await lives(stage)
            #expect(lives.count == 11, "three barriers, who arrived at one, what follows, and three keys of the run")
            for (key, life) in lives { #expect(life > Self.base + 364 * Self.day, "\(key)") }
        }
    }

    /// An inner step is no arrival at the outer barriers, and keeps them all the same.
    @Test func aNextStepKeepsTheBarriersAroundIt() async throws {
        try await withRedisServer { server in
            let stage = try await stage(server)
            let task = stage.task
            let last = Message(queueName: "elsewhere", actorName: "task", args: ["last"])
            try await Workflow(
                Chain(Group(Chain(task.message("a"), last), task.message("b")), task.message("c")),
                broker: stage.broker
            ).run()
            try await shorten(stage)
            try await withWorker(Worker(stage.broker, queues: ["default"])) {
                try await stage.transport.join()
            }
            let lives = try await lives(stage)
            for (key, life) in lives where !key.contains("__workflows__") {
                // The inner step's own barrier is released and remembered for a while.
                let ran = try await stage.redis.execute(RedisCommand("GET", key + "_ran"))
                let isReleased = try !ran.isNull && ran.string() == "0"
                #expect(isReleased || key.hasSuffix("_ran") || life > Self.base, "\(key)")
            }
            #expect(lives.values.filter { $0 > Self.base }.count >= 5)
        }
    }

    /// Redis undoes nothing of a script that fails, so a step that can't be done is refused before it begins.
    @Test func aStepThatCanNotBeDoneChangesNothing() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.execute(RedisCommand("SET", "dramatiq:default.XQ", "not dead letters"))
            _ = try await stage.redis.execute(RedisCommand("SET", "dramatiq:taken", "not a queue"))
            let (deliveries, consumer) = try await stage.sendAndTake(2)
            let elsewhere = Envelope(Message(queueName: "taken", actorName: "task"), encoder: stage.broker.encoder)
            let here = Envelope(stage.task.message("x"), encoder: stage.broker.encoder)
            let acknowledged = Commit.End(deliveries[0], .acknowledge)
            for commit in [
                Commit(end: Commit.End(deliveries[0], .reject(reason: "no")), sends: [here]),
                Commit(end: acknowledged, sends: [here, elsewhere]),
                Commit(
                    end: acknowledged, successors: [here, elsewhere],
                    state: StateCommit(
                        store: stage.backend,
                        creations: [.init(barrier: BarrierKey(key: "new", ttl: .seconds(100)), parties: 1)])),
            ] {
                await #expect(throws: RedisError.self) { try await stage.transport.commit(commit) }
                #expect(try await stage.redis.execute(RedisCommand("HLEN", "dramatiq:default.msgs")).integer() == 2)
                #expect(
                    try await stage.redis.execute(RedisCommand("EXISTS", "dramatiq:default.XQ.msgs")).integer() == 0)
                #expect(try await stage.redis.execute(RedisCommand("EXISTS", "new")).integer() == 0)
            }
            // The message is still held, and can be settled.
            #expect(try await stage.transport.end(deliveries[0]) == .committed)
            await consumer.close()
        }
    }

    /// What is no whole number was not written as a barrier, and is never complete.
    @Test(arguments: ["1.5", "", " 1", "1e0", "nan"]) func aCountThatIsNoneIsALostBarrier(text: String) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.execute(RedisCommand("SET", "b", text))
            let arrival = StateCommit.Arrival(
                barrier: BarrierKey(key: "b", ttl: .seconds(100)), party: "p", releases: true)
            await #expect(throws: BarrierStateLost(key: "b")) {
                _ = try await stage.backend.apply(StateCommit(store: stage.backend, arrival: arrival))
            }
        }
    }

    @Test func everyLifeIsBroughtIntoRange() {
        #expect(BarrierKey(key: "b", ttl: .zero).ttl == .milliseconds(1))
        #expect(BarrierKey(key: "b", ttl: .seconds(-5)).ttl == .milliseconds(1))
        #expect(BarrierKey(key: "b", ttl: .seconds(Int64.max)).ttl == .seconds(100 * 365 * 86_400))
    }
}
