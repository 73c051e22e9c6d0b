import Dramatiq
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RedisRateLimiterBackendTests {
    private func withBackend(_ body: (RedisRateLimiterBackend, RedisClient) async throws -> Void) async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            try await body(RedisRateLimiterBackend(redis), redis)
            await redis.shutDown()
        }
    }

    @Test func countersKeepToTheirBounds() async throws {
        try await withBackend { backend, redis in
            let ttl = Duration.seconds(1000)
            #expect(try await backend.add("a", value: 3, ttl: ttl))
            #expect(try await !backend.add("a", value: 9, ttl: ttl))
            #expect(try await backend.incr("a", amount: 2, maximum: 5, ttl: ttl))
            #expect(try await !backend.incr("a", amount: 1, maximum: 5, ttl: ttl))
            #expect(try await backend.decr("a", amount: 4, minimum: 1, ttl: ttl))
            #expect(try await !backend.decr("a", amount: 1, minimum: 1, ttl: ttl))
            #expect(try await redis.execute(RedisCommand("GET", "a")).string() == "1")
            #expect(try await backend.incr("new", amount: 1, maximum: 1, ttl: ttl))
            #expect(try await !backend.decr("other", amount: 1, minimum: 0, ttl: ttl))
            #expect(try await redis.execute(RedisCommand("EXISTS", "other")).integer() == 0)
            #expect(try await backend.incrAndSum("b", keys: { ["a", "b", "c"] }, amount: 2, maximum: 3, ttl: ttl))
            #expect(try await !backend.incrAndSum("c", keys: { ["a", "b", "c"] }, amount: 1, maximum: 3, ttl: ttl))
            for key in ["a", "b", "new"] {
                let left = try await redis.execute(RedisCommand("PTTL", key)).integer()
                #expect((1...1_000_000).contains(left))
            }
        }
    }

    @Test func countersAreAtomic() async throws {
        try await withBackend { backend, redis in
            let done = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<200 {
                    group.addTask { try await backend.incr("n", amount: 1, maximum: 150, ttl: .seconds(1000)) }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(done == 150)
            #expect(try await redis.execute(RedisCommand("GET", "n")).integer() == 150)
        }
    }

    @Test func aBarrierIsWaitedFor() async throws {
        try await withBackend { backend, _ in
            let barrier = Barrier(backend: backend, key: "b", ttl: .seconds(1000))
            #expect(try await barrier.create(parties: 4))
            #expect(try await !barrier.create(parties: 4))
            let waiting = Recorder<Bool>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask { waiting.add(try await barrier.wait(block: true, timeout: .seconds(100))) }
                }
                try await group.waitForAll()
            }
            #expect(waiting.values == [true, true, true, true])
            #expect(try await !backend.wait("nothing", timeout: .milliseconds(50)))
        }
    }

    private func key(_ name: String) -> BarrierKey {
        BarrierKey(key: name, releaseKey: "\(name)_ran", ttl: .seconds(86_400))
    }

    private func arrive(
        _ backend: RedisRateLimiterBackend, _ name: String, _ party: String, releases: Bool = false
    ) async throws -> StateCommit.Result {
        try await backend.apply(
            StateCommit(
                store: backend, arrival: .init(barrier: key(name), party: party, releases: releases)))
    }

    private func create(_ backend: RedisRateLimiterBackend, _ name: String, _ parties: Int) async throws {
        _ = try await backend.apply(
            StateCommit(store: backend, creations: [.init(barrier: key(name), parties: parties)]))
    }

    @Test func arrivalsHaveNames() async throws {
        try await withBackend { backend, redis in
            try await create(backend, "g", 3)
            #expect(try await arrive(backend, "g", "a") == .committed)
            #expect(try await arrive(backend, "g", "a") == .committed)
            #expect(try await arrive(backend, "g", "b") == .committed)
            #expect(try await arrive(backend, "g", "a") == .committed)
            #expect(try await redis.execute(RedisCommand("GET", "g")).string() == "1")
            #expect(try await arrive(backend, "g", "b") == .committed)
            #expect(try await arrive(backend, "g", "c") == .opened)
            #expect(try await arrive(backend, "g", "c") == .opened)
            #expect(try await redis.execute(RedisCommand("GET", "g_ran")).string() == "-1")
            let release = StateCommit(store: backend, releases: [key("g")])
            #expect(try await backend.apply(release) == .committed)
            #expect(try await backend.apply(release) == .alreadyReleased)
            #expect(try await arrive(backend, "g", "a") == .alreadyReleased)
            #expect(try await redis.execute(RedisCommand("GET", "g")).string() == "1")
            #expect(try await redis.execute(RedisCommand("GET", "g_ran")).string() == "0")
            #expect(try await redis.execute(RedisCommand("EXISTS", "g_arrived")).integer() == 0)
        }
    }

    @Test func everyArrivalRenewsTheFullTime() async throws {
        try await withBackend { backend, redis in
            try await create(backend, "g", 3)
            // What an arrival in Python leaves: a quarter of an hour.
            _ = try await redis.execute(RedisCommand("SET", "g", "2", "PX", 900_000))
            #expect(try await arrive(backend, "g", "a") == .committed)
            for name in ["g", "g_ran", "g_arrived"] {
                #expect(try await redis.execute(RedisCommand("PTTL", name)).integer() > 86_000_000, "\(name)")
            }
        }
    }

    /// Arrivals in Python are decrements, and its release is an increment of `_ran`.
    @Test func bothLanguagesSeeEachOthersArrivals() async throws {
        try await withBackend { backend, redis in
            try await create(backend, "g", 3)
            #expect(try await arrive(backend, "g", "a") == .committed)
            #expect(try await backend.decr("g", amount: 1, minimum: 1, ttl: .seconds(900)))
            #expect(try await arrive(backend, "g", "a") == .committed)
            #expect(try await arrive(backend, "g", "b") == .opened)
            // A party in Python that comes now releases it, and only one of the two does.
            #expect(try await !backend.decr("g", amount: 1, minimum: 1, ttl: .seconds(900)))
            #expect(try await backend.incr("g_ran", amount: 1, maximum: 0, ttl: .seconds(900)))
            #expect(
                try await backend.apply(StateCommit(store: backend, releases: [key("g")])) == .alreadyReleased)

            try await create(backend, "h", 2)
            #expect(try await arrive(backend, "h", "a") == .committed)
            #expect(try await !backend.decr("h", amount: 1, minimum: 1, ttl: .seconds(900)))
            #expect(try await redis.execute(RedisCommand("GET", "h")).string() == "1")
        }
    }

    @Test func aMissingBarrierIsNeverComplete() async throws {
        try await withBackend { backend, redis in
            await #expect(throws: BarrierStateLost(key: "none")) { try await arrive(backend, "none", "a") }
            _ = try await redis.execute(RedisCommand("SET", "bad", "not a number"))
            await #expect(throws: BarrierStateLost(key: "bad")) { try await arrive(backend, "bad", "a") }
            // All or none: the barrier that is there is not released.
            try await create(backend, "there", 1)
            let both = StateCommit(
                store: backend,
                arrival: .init(barrier: key("none"), party: "x", releases: true), releases: [key("there")])
            await #expect(throws: BarrierStateLost.self) { try await backend.apply(both) }
            #expect(try await redis.execute(RedisCommand("GET", "there_ran")).string() == "-1")
        }
    }

    /// A commit that is repeated because its answer was lost gives the same answer; another party doesn't get it.
    @Test func aRepeatedReleaseIsRecognised() async throws {
        try await withBackend { backend, _ in
            try await create(backend, "s", 1)
            for _ in 0..<3 { #expect(try await arrive(backend, "s", "a", releases: true) == .committed) }
            #expect(try await arrive(backend, "s", "b", releases: true) == .alreadyReleased)
        }
    }
}
