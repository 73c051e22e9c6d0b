import Testing

@testable import Dramatiq

@Suite(.timeLimit(.minutes(10))) struct RateLimitTests {
    private let backend = InMemoryRateLimiterBackend()

    @Test func whatWouldOverflowIsRefused() async throws {
        #expect(try await backend.incr("k", amount: 2, maximum: 2, ttl: .seconds(10)))
        #expect(try await !backend.incr("k", amount: .max, maximum: .max, ttl: .seconds(10)))
        #expect(try await !backend.decr("k", amount: .min, minimum: .min, ttl: .seconds(10)))
        #expect(backend.value(forKey: "k") == 2)
    }

    @Test func whoFindsNoPlaceIsTold() async throws {
        let limiter = try ConcurrentRateLimiter(backend: backend, key: "l", limit: 1)
        #expect(try await limiter.tryAcquire())
        await #expect(throws: RateLimitExceeded(key: "l")) { try await limiter.acquire {} }
    }

    @Test func limitsThatCannotWorkAreRefused() async {
        #expect(throws: RateLimitError.self) { try ConcurrentRateLimiter(backend: backend, key: "l", limit: 0) }
        #expect(throws: RateLimitError.self) { try BucketRateLimiter(backend: backend, key: "l", bucket: .zero) }
        for window in [Duration.zero, .seconds(-1), .milliseconds(1500)] {
            #expect(throws: RateLimitError.self) { try WindowRateLimiter(backend: backend, key: "l", window: window) }
        }
        await #expect(throws: RateLimitError.self) { try await Barrier(backend: backend, key: "b").create(parties: 0) }
    }

    @Test func whatIsDoneTakesNoMemory() async throws {
        for number in 0..<10_000 {
            let barrier = BarrierKey(key: "g\(number)", releaseKey: "g\(number)_ran", ttl: .seconds(100))
            let creation = StateCommit(store: backend, creations: [.init(barrier: barrier, parties: 1)])
            let arrival = StateCommit(store: backend, arrival: .init(barrier: barrier, party: "a", releases: true))
            #expect(try await backend.apply(creation) == .committed)
            #expect(try await backend.apply(arrival) == .committed)
        }
        #expect(backend.keyCount == 0)
    }
}
