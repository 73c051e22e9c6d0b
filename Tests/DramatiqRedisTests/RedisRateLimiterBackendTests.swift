import Dramatiq
import DramatiqRedis
import RedisTestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RedisRateLimiterBackendTests {
    private func withBackend(_ body: (RedisRateLimiterBackend, RedisClient) async throws -> Void) async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            try await body(RedisRateLimiterBackend(redis), redis)
            await redis.shutDown()
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

    @Test func barriersLieWherePythonLooksForThem() async throws {
        try await withBackend { backend, redis in
            try await create(backend, "g", 2)
            #expect(try await arrive(backend, "g", "a") == .committed)
            #expect(try await redis.execute(RedisCommand("GET", "g")).string() == "1")
            #expect(try await arrive(backend, "g", "b") == .opened)
            #expect(try await redis.execute(RedisCommand("GET", "g_ran")).string() == "-1")
            #expect(try await backend.apply(StateCommit(store: backend, releases: [key("g")])) == .committed)
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

    @Test func whatIsNoBarrierIsNeverComplete() async throws {
        try await withBackend { backend, redis in
            _ = try await redis.execute(RedisCommand("SET", "bad", "not a number"))
            await #expect(throws: BarrierStateLost(key: "bad")) { try await arrive(backend, "bad", "a") }
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
