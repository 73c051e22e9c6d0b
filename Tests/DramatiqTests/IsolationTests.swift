import Dramatiq
import TestSupport
import Testing

// What the public API runs in place is given closures that use their caller's own state. That this compiles is the test.

/// State that belongs to one task or actor.
private final class Unshared {
    var count = 0
}

private actor Counter {
    let limiter: any RateLimiter
    let worker: Worker
    var count = 0
    let unshared = Unshared()

    init(_ limiter: any RateLimiter, _ worker: Worker) {
        self.limiter = limiter
        self.worker = worker
    }

    func run() async throws -> Int {
        try await limiter.acquire { count += 1 }
        let mine = try await limiter.acquire {
            await Task.yield()
            unshared.count += 1
            return unshared
        }
        try await worker.run { count += 1 }
        return count + mine.count
    }
}

@MainActor private final class Screen {
    var count = 0

    func run(_ limiter: ConcurrentRateLimiter, _ worker: Worker) async throws -> Int {
        try await limiter.acquire { count += 1 }
        return try await worker.run {
            MainActor.assertIsolated()
            count += 1
            return count
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct IsolationTests {
    private let backend = InMemoryRateLimiterBackend()
    private let limiter: ConcurrentRateLimiter

    init() throws {
        limiter = try ConcurrentRateLimiter(backend: backend, key: "l")
    }

    private var worker: Worker { Worker(Broker(transport: InMemoryTransport())) }

    @Test func anActorsOwnState() async throws {
        #expect(try await Counter(limiter, worker).run() == 3)
    }

    @Test @MainActor func theMainActors() async throws {
        #expect(try await Screen().run(limiter, worker) == 2)
    }

    @Test func nobodysState() async throws {
        var count = 0
        let unshared = Unshared()
        try await limiter.acquire { count += 1 }
        try await worker.run {
            count += 1
            unshared.count += 1
        }
        let bucket = try BucketRateLimiter(backend: backend, key: "b")
        let window = try WindowRateLimiter(backend: backend, key: "w")
        try await bucket.acquire { count += 1 }
        try await window.acquire { unshared.count += 1 }
        #expect((count, unshared.count) == (3, 2))
        #expect(backend.value(forKey: "l") == 0)
    }

    /// The body of a worker's run is cancelled when the worker can't work.
    @Test @MainActor func aBodyOnAnActorIsCancelledAllTheSame() async throws {
        let worker = Worker(Broker(transport: InMemoryTransport()), queues: ["not a name"])
        var isCancelled = false
        await #expect(throws: BrokerError.self) {
            try await worker.run {
                try? await Task.sleep(for: .seconds(600))
                isCancelled = Task.isCancelled
            }
        }
        #expect(isCancelled)
    }
}
