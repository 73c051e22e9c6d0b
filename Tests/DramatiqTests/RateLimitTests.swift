import Synchronization
import TestSupport
import Testing

@testable import Dramatiq

@Suite(.timeLimit(.minutes(10))) struct RateLimitTests {
    /// A clock that stands still until it is moved.
    private final class Clock: Sendable {
        private let now = Mutex(ContinuousClock.now)
        var instant: ContinuousClock.Instant { now.withLock(\.self) }
        func advance(by duration: Duration) { now.withLock { $0 += duration } }
    }

    /// Counts what runs at the same time.
    private final class Load: Sendable {
        private let state = Mutex((running: 0, most: 0))
        var most: Int { state.withLock(\.most) }
        func begin() { state.withLock { $0 = ($0.running + 1, max($0.most, $0.running + 1)) } }
        func end() { state.withLock { $0.running -= 1 } }
    }

    private let clock: Clock
    private let backend: InMemoryRateLimiterBackend

    init() {
        let clock = Clock()
        self.clock = clock
        backend = InMemoryRateLimiterBackend(now: { clock.instant })
    }

    @Test func keysCountUpAndDownWithinBoundsAndExpire() async throws {
        #expect(try await backend.add("k", value: 1, ttl: .seconds(10)))
        #expect(try await !backend.add("k", value: 5, ttl: .seconds(10)))
        #expect(try await backend.incr("k", amount: 2, maximum: 3, ttl: .seconds(10)))
        #expect(try await !backend.incr("k", amount: 1, maximum: 3, ttl: .seconds(10)))
        #expect(try await backend.decr("k", amount: 3, minimum: 0, ttl: .seconds(10)))
        #expect(try await !backend.decr("k", amount: 1, minimum: 0, ttl: .seconds(10)))
        #expect(backend.value(forKey: "k") == 0)
        clock.advance(by: .seconds(10))
        #expect(backend.value(forKey: "k") == nil)
        #expect(try await backend.incr("k", amount: 2, maximum: 2, ttl: .seconds(10)))
        #expect(try await !backend.incr("k", amount: .max, maximum: .max, ttl: .seconds(10)))
    }

    @Test func renewalKeepsAKeyAlive() async throws {
        _ = try await backend.add("k", value: 1, ttl: .seconds(10))
        for _ in 0..<5 {
            clock.advance(by: .seconds(9))
            #expect(try await backend.incr("k", amount: 1, maximum: 100, ttl: .seconds(10)))
        }
        #expect(backend.value(forKey: "k") == 6)
        #expect(backend.timeToLive(forKey: "k") == .seconds(10))
    }

    @Test func aBarrierOpensForTheLastParty() async throws {
        let barrier = Barrier(backend: backend, key: "b", ttl: .seconds(30))
        #expect(try await barrier.create(parties: 3))
        #expect(try await !barrier.create(parties: 3))
        #expect(try await !barrier.wait(block: false))
        #expect(try await !barrier.wait(block: false))
        #expect(try await barrier.wait(block: false))
        #expect(backend.value(forKey: "b") == 1)
        await #expect(throws: RateLimitError.self) { try await barrier.create(parties: 0) }
    }

    @Test func aBarrierCanBeWaitedFor() async throws {
        let barrier = Barrier(backend: backend, key: "b", ttl: .seconds(30))
        try await barrier.create(parties: 3)
        let opened = Recorder<Bool>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 { group.addTask { opened.add(try await barrier.wait(timeout: .patience)) } }
            try await eventually { backend.value(forKey: "b") == 1 }
            #expect(opened.count == 0)
            #expect(try await barrier.wait(block: false))
            try await group.waitForAll()
        }
        #expect(opened.values == [true, true])
        #expect(try await !backend.wait("nothing", timeout: .milliseconds(10)))
    }

    @Test func atMostSoManyRunAtTheSameTime() async throws {
        let limiter = try ConcurrentRateLimiter(backend: backend, key: "l", limit: 2)
        let load = Load()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try? await limiter.acquire {
                        load.begin()
                        await Task.yield()
                        load.end()
                    }
                }
            }
        }
        #expect((1...2).contains(load.most))
        #expect(backend.value(forKey: "l") == 0)
        // What throws gives its place back.
        await #expect(throws: CancellationError.self) { try await limiter.acquire { throw CancellationError() } }
        #expect(backend.value(forKey: "l") == 0)
        #expect(try await limiter.tryAcquire())
        #expect(try await limiter.tryAcquire())
        await #expect(throws: RateLimitExceeded(key: "l")) { try await limiter.acquire {} }
    }

    @Test func aBucketTakesSoManyPerInterval() async throws {
        let limiter = try BucketRateLimiter(backend: backend, key: "l", limit: 3, bucket: .seconds(3600))
        var acquired = 0
        for _ in 0..<10 where try await limiter.tryAcquire() { acquired += 1 }
        #expect((3...6).contains(acquired))
    }

    @Test func aWindowTakesSoManyOverItsLength() async throws {
        let limiter = try WindowRateLimiter(backend: backend, key: "l", limit: 5, window: 3600)
        var acquired = 0
        for _ in 0..<20 where try await limiter.tryAcquire() { acquired += 1 }
        #expect(acquired == 5)
    }

    @Test func limitsThatCannotWorkAreRefused() {
        #expect(throws: RateLimitError.self) { try ConcurrentRateLimiter(backend: backend, key: "l", limit: 0) }
        #expect(throws: RateLimitError.self) { try BucketRateLimiter(backend: backend, key: "l", bucket: .zero) }
        #expect(throws: RateLimitError.self) { try WindowRateLimiter(backend: backend, key: "l", window: 0) }
    }

    // MARK: Barrier commits

    private func key(_ name: String) -> BarrierKey {
        BarrierKey(key: name, releaseKey: "\(name)_ran", ttl: .seconds(100))
    }

    private func create(_ name: String, parties: Int) async throws {
        let result = try await backend.apply(
            StateCommit(store: backend, creations: [.init(barrier: key(name), parties: parties)]))
        #expect(result == .committed)
    }

    private func arrive(_ name: String, _ party: String, releases: Bool = false) async throws -> StateCommit.Result {
        try await backend.apply(
            StateCommit(
                store: backend, arrival: .init(barrier: key(name), party: party, releases: releases)))
    }

    @Test func anArrivalIsCountedOncePerParty() async throws {
        try await create("g", parties: 3)
        for _ in 0..<5 { #expect(try await arrive("g", "a") == .committed) }
        #expect(try await arrive("g", "b") == .committed)
        for _ in 0..<5 { #expect(try await arrive("g", "a") == .committed) }
        #expect(backend.value(forKey: "g") == 1)
        #expect(try await arrive("g", "c") == .opened)
        // Whoever comes again before the release may have to do it.
        #expect(try await arrive("g", "b") == .opened)
        let release = StateCommit(store: backend, releases: [key("g")])
        #expect(try await backend.apply(release) == .committed)
        #expect(try await backend.apply(release) == .alreadyReleased)
        #expect(try await arrive("g", "a") == .alreadyReleased)
    }

    @Test func everyArrivalRenewsTheFullTimeToLive() async throws {
        try await create("g", parties: 3)
        clock.advance(by: .seconds(99))
        #expect(try await arrive("g", "a") == .committed)
        clock.advance(by: .seconds(99))
        #expect(try await arrive("g", "b") == .committed)
        #expect(backend.timeToLive(forKey: "g") == .seconds(100))
        #expect(backend.timeToLive(forKey: "g_ran") == .seconds(100))
    }

    @Test func aMissingBarrierIsAnErrorAndNeverComplete() async throws {
        await #expect(throws: BarrierStateLost(key: "g")) { _ = try await arrive("g", "a") }
        try await create("g", parties: 2)
        #expect(try await arrive("g", "a") == .committed)
        clock.advance(by: .seconds(101))
        await #expect(throws: BarrierStateLost(key: "g")) { _ = try await arrive("g", "b") }
        await #expect(throws: BarrierStateLost(key: "x")) {
            _ = try await backend.apply(StateCommit(store: backend, releases: [key("x")]))
        }
    }

    @Test func releaseAndCreationHoldTogetherOrNotAtAll() async throws {
        try await create("step", parties: 1)
        let commit = StateCommit(
            store: backend,
            arrival: .init(barrier: key("step"), party: "a", releases: true),
            releases: [key("missing")],
            creations: [.init(barrier: key("next"), parties: 4)])
        await #expect(throws: BarrierStateLost(key: "missing")) { _ = try await backend.apply(commit) }
        #expect(backend.value(forKey: "next") == nil)
        #expect(backend.value(forKey: "step") == 1)
        var whole = commit
        whole.releases = []
        #expect(try await backend.apply(whole) == .committed)
        #expect(backend.value(forKey: "next") == 4)
        #expect(try await backend.apply(whole) == .alreadyReleased)
    }

    @Test func aStepThatIsNotCompleteKeepsWhatFollows() async throws {
        try await create("step", parties: 2)
        let commit = { (party: String) in
            StateCommit(
                store: backend,
                arrival: .init(barrier: key("step"), party: party, releases: true),
                creations: [.init(barrier: key("next"), parties: 4)])
        }
        #expect(try await backend.apply(commit("a")) == .waiting)
        #expect(try await backend.apply(commit("a")) == .waiting)
        #expect(backend.value(forKey: "next") == nil)
        #expect(try await backend.apply(commit("b")) == .committed)
        #expect(backend.value(forKey: "next") == 4)
    }

    @Test func whatIsDoneTakesNoMemory() async throws {
        for number in 0..<10_000 {
            try await create("g\(number)", parties: 1)
            #expect(try await arrive("g\(number)", "a", releases: true) == .committed)
        }
        #expect(backend.value(forKey: "g1") == nil)
        #expect(backend.value(forKey: "g9999_ran") == nil)
    }
}
