import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// Completion ids that name keys of other applications: nothing of theirs is changed.
@Suite(.timeLimit(.minutes(10))) struct RedisForeignKeyTests {
    /// Commands that make what an application might have under `victim`.
    private static let foreign: [[String]] = [
        ["SET", "victim", "5"], ["SET", "victim", "1"], ["SET", "victim", "5", "PX", "5000000"],
        ["SET", "victim", "1", "PX", "5000000"], ["SET", "victim", "0"], ["SET", "victim", "-3"],
        ["SET", "victim", "text"], ["SET", "victim", ""], ["SET", "victim", "1e3"], ["SET", "victim", "0x10"],
        ["SET", "victim", " 5"], ["SET", "victim", "99999999999999999999999"], ["SET", "victim", "1.5"],
        ["RPUSH", "victim", "1"], ["SADD", "victim", "1"], ["HSET", "victim", "a", "1"], ["ZADD", "victim", "1", "a"],
        ["SET", "victim_arrived", "x"], ["SADD", "victim_arrived", "x"], ["DEL", "victim"],
    ]
    /// What may lie beside it.
    private static let beside: [[String]] = [
        [], ["SET", "victim_ran", "text"], ["SET", "victim_ran", ""], ["RPUSH", "victim_ran", "-1"],
        ["SET", "victim_ran", "nan"],
    ]

    private func command(_ words: [String]) -> RedisCommand { RedisCommand(words[0], list: Array(words.dropFirst())) }

    /// All of a server's keys with what they hold and whether they expire.
    private func contents(_ redis: RedisClient) async throws -> [String: [RESPValue]] {
        var contents: [String: [RESPValue]] = [:]
        for key in try await redis.execute(RedisCommand("KEYS", "victim*")).array().map({ try $0.string() }) {
            let ttl = try await redis.execute(RedisCommand("PTTL", key)).integer()
            contents[key] = [
                try await redis.execute(RedisCommand("DUMP", key)), .boolean(ttl == -1), .boolean(ttl > 5_000_000),
            ]
        }
        return contents
    }

    @Test(arguments: foreign) func noStepChangesWhatIsNoBarrier(words: [String]) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            for other in Self.beside {
                _ = try await stage.redis.execute(RedisCommand("FLUSHALL"))
                _ = try await stage.redis.execute(command(words))
                if !other.isEmpty { _ = try await stage.redis.execute(command(other)) }
                let before = try await contents(stage.redis)
                let barrier = BarrierKey(key: "victim", releaseKey: "victim_ran", ttl: .seconds(86_400))
                for releases in [false, true] {
                    await #expect(throws: (any Error).self, "\(words) \(other)") {
                        try await stage.backend.apply(
                            StateCommit(
                                store: stage.backend,
                                arrival: .init(barrier: barrier, party: "p", releases: releases)))
                    }
                }
                await #expect(throws: (any Error).self) {
                    try await stage.backend.apply(StateCommit(store: stage.backend, releases: [barrier]))
                }
                _ = try? await stage.backend.apply(StateCommit(store: stage.backend, refreshes: [barrier]))
                #expect(try await contents(stage.redis) == before, "\(words) \(other)")
            }
        }
    }

    /// Barriers that are only counted have nothing beside them: what doesn't expire, and what is no count, is none.
    @Test(arguments: foreign.filter { !$0.contains("PX") })
    func noCountingBarrierIsWhatDoesNotExpire(words: [String]) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.execute(command(words))
            let before = try await contents(stage.redis)
            let barrier = BarrierKey(key: "victim", ttl: .seconds(86_400))
            for steps in [
                StateCommit(store: stage.backend, arrival: .init(barrier: barrier, party: "p", releases: false)),
                StateCommit(store: stage.backend, releases: [barrier]),
                StateCommit(store: stage.backend, refreshes: [barrier]),
            ] { _ = try? await stage.backend.apply(steps) }
            #expect(try await contents(stage.redis) == before)
        }
    }

    /// A message from outside, with the worker's commit, many at once and one by one.
    @Test(arguments: [1, 40]) func aMessageThatNamesAForeignKeyIsADeadLetter(count: Int) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.execute(RedisCommand("SET", "victim", 100, "PX", 5_000_000))
            let before = try await contents(stage.redis)
            try await stage.broker.enqueue(
                (0..<count).map {
                    var message = stage.task.message("\($0)")
                    message.options["workflow_completion_callbacks"] = [["victim", nil, true]]
                    return message
                })
            try await stage.work()
            #expect(try await contents(stage.redis) == before)
            let letters = try await stage.transport.deadLetters()
            #expect(letters.count == count)
            #expect(letters.allSatisfy { $0.reason.contains("Barrier victim is not in the backend") })
        }
    }

    /// What Python makes, step by step, is a barrier.
    @Test func pythonsBarriersAreTaken() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.pipeline([
                RedisCommand("SET", "b_ran", -1, "PX", 86_400_000, "NX"),
                RedisCommand("SET", "b", 2, "PX", 86_400_000, "NX"),
            ])
            let barrier = BarrierKey(key: "b", releaseKey: "b_ran", ttl: .seconds(86_400))
            func arrive(_ party: String) async throws -> StateCommit.Result {
                try await stage.backend.apply(
                    StateCommit(store: stage.backend, arrival: .init(barrier: barrier, party: party, releases: false)))
            }
            #expect(try await arrive("p") == .committed)
            // As Python's workers rewrite it.
            _ = try await stage.redis.execute(RedisCommand("SET", "b", 1, "PX", 900_000))
            #expect(try await arrive("q") == .opened)
            #expect(
                try await stage.backend.apply(StateCommit(store: stage.backend, releases: [barrier])) == .committed)
            #expect(try await stage.redis.execute(RedisCommand("GET", "b_ran")).integer() == 0)
        }
    }
}
