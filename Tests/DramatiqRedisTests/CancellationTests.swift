import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

/// What is taken is given back, whenever the task that has it is cancelled.
@Suite(.timeLimit(.minutes(10))) struct CancellationTests {
    /// How many places are taken.
    private func taken(_ redis: RedisClient, _ key: String) async throws -> Int {
        let value = try await redis.execute(RedisCommand("GET", key))
        return value.isNull ? 0 : try value.integer()
    }

    /// Starts tasks and cancels each at a moment of its own, then waits for all of them.
    private func cancelAtRandom(_ seed: TestSeed, count: Int, _ body: @escaping @Sendable () async throws -> Void) async
    {
        var random = seed.generator
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                let moment = Duration.microseconds(.random(in: 0...30_000, using: &random))
                let task = Task { try await body() }
                group.addTask {
                    try? await Task.sleep(for: moment)
                    task.cancel()
                    _ = await task.result
                }
            }
        }
    }

    @Test(arguments: TestSeed.first(1))
    func aLimitersPlacesAreFreeAfterCancelling(seed: TestSeed) async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let limiter = try ConcurrentRateLimiter(backend: RedisRateLimiterBackend(redis), key: "l", limit: 20)
                await cancelAtRandom(seed, count: 400) {
                    try await limiter.acquire { try await Task.sleep(for: .milliseconds(10)) }
                }
                #expect(try await taken(redis, "l") == 0)
                // Also by those that take and give back themselves.
                await cancelAtRandom(seed, count: 400) {
                    guard try await limiter.tryAcquire() else { return }
                    try? await Task.sleep(for: .milliseconds(10))
                    try await limiter.release()
                }
                #expect(try await taken(redis, "l") == 0)
                // Nothing runs in a task that is cancelled before it begins.
                let task = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    try await limiter.acquire { _ = Issue.record("it ran") }
                }
                await #expect(throws: CancellationError.self) { try await task.value }
                #expect(try await taken(redis, "l") == 0)
            }
        }
    }

    @Test func aPlaceIsFreeAfterATimeLimitAndAForcedShutdown() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let limiter = try ConcurrentRateLimiter(backend: RedisRateLimiterBackend(redis), key: "l", limit: 2)
                let began = Recorder<Bool>()
                let slow = TaskActor("slow", options: [.maxRetries(0)]) {
                    try await limiter.acquire {
                        began.add(true)
                        try await Task.sleep(for: .seconds(600))
                    }
                }
                let transport = InMemoryTransport()
                let broker = Broker(transport: transport, logger: RecordingLog().logger)
                try await broker.declare(slow)
                try await broker.enqueue(slow.messageWithOptions(options: ["time_limit": 50]))
                try await Worker(broker).run {
                    try await transport.joinAll()
                    #expect(try await limiter.tryAcquire())
                    try await limiter.release()
                    // It ends with the worker.
                    try await slow.send(to: broker)
                    try await eventually { began.count == 2 }
                }
                #expect(try await taken(redis, "l") == 0)
            }
        }
    }

    /// An answer that is lost with its connection says nothing about the place.
    @Test func aLostAnswerLosesNoPlace() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let executor = FaultyExecutor(redis)
                let count = Mutex(0)
                executor.set { _ in
                    let number = count.withLock { count in
                        count += 1
                        return count
                    }
                    return number.isMultiple(of: 3) ? nil : number.isMultiple(of: 2) ? .before : .after
                }
                let limiter = try ConcurrentRateLimiter(backend: RedisRateLimiterBackend(executor), key: "l", limit: 1)
                var ran = 0
                for _ in 0..<20 {
                    do {
                        try await limiter.acquire {
                            ran += 1
                            let held = try await taken(redis, "l")
                            #expect(held == 1)
                        }
                    } catch let error as RedisError {
                        #expect(!error.mayHaveTakenEffect)
                    }
                    let held = try await taken(redis, "l")
                    #expect(held == 0)
                }
                #expect(ran > 0)
            }
        }
    }

    /// Python counts in the same keys.
    @Test func placesAreCountedAsPythonCountsThem() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let backend = RedisRateLimiterBackend(redis)
                let limiter = try ConcurrentRateLimiter(
                    backend: backend, key: "l", limit: 3, ttl: .seconds(900))
                #expect(try await backend.add("l", value: 1, ttl: .seconds(60)))
                #expect(try await limiter.tryAcquire())
                #expect(try await redis.execute(RedisCommand("PTTL", "l")).integer() > 800_000)
                #expect(try await limiter.tryAcquire())
                #expect(try await !limiter.tryAcquire())
                #expect(try await !backend.incr("l", amount: 1, maximum: 3, ttl: .seconds(60)))
                #expect(try await backend.decr("l", amount: 1, minimum: 0, ttl: .seconds(60)))
                #expect(try await limiter.tryAcquire())
                for _ in 0..<5 { try await limiter.release() }
                #expect(try await taken(redis, "l") == 0)
                for key in try await redis.execute(RedisCommand("KEYS", "l@*")).array() {
                    let left = try await redis.execute(RedisCommand("PTTL", try key.string())).integer()
                    #expect((1...60_000).contains(left))
                }
            }
        }
    }

    /// The last party's arrival wakes the others, also if it is cancelled.
    @Test(arguments: TestSeed.first(1))
    func whoeverArrivesWhileCancelledOpensTheBarrier(seed: TestSeed) async throws {
        var random = seed.generator
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let backend = RedisRateLimiterBackend(redis)
                for round in 0..<30 {
                    let barrier = Barrier(backend: backend, key: "b\(round)", ttl: .seconds(900))
                    try await barrier.create(parties: 2)
                    let waiting = Task { try await barrier.wait(timeout: .seconds(100)) }
                    try await eventually { try await taken(redis, "b\(round)") == 1 }
                    let last = Task { try await barrier.wait(block: false) }
                    if Bool.random(using: &random) {
                        try await Task.sleep(for: .microseconds(.random(in: 0...500, using: &random)))
                    }
                    last.cancel()
                    #expect(try await last.value)
                    #expect(try await waiting.value)
                    // One that opens at most once is opened by somebody.
                    let once = AtMostOnceBarrier(backend: backend, key: "o\(round)", ttl: .seconds(900))
                    try await once.create(parties: 1)
                    let only = Task { try await once.wait() }
                    only.cancel()
                    #expect(try await only.value)
                }
            }
        }
    }

    /// Messages whose delivery was cut off are found, and closing in a cancelled task returns all.
    @Test(arguments: ["default", "default.DQ"], TestSeed.first(1))
    func aConsumerGivesEverythingBack(queue: String, seed: TestSeed) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let isDelayed = queue != "default"
            for number in 0..<200 {
                try await stage.broker.enqueue(
                    stage.task.message("\(number)"), delay: isDelayed ? .milliseconds(1 + number % 30) : nil)
            }
            let consumer = try await stage.transport.consumer(of: queue, prefetch: 1000)
            for round in 0..<30 {
                await cancelAtRandom(TestSeed(seed.number &+ UInt64(round)), count: 1) {
                    _ = try await consumer.next(limit: 3)
                }
            }
            let closing = Task { await consumer.close() }
            closing.cancel()
            await closing.value
            let left = try await stage.redis.execute(RedisCommand("LLEN", "dramatiq:\(queue)")).integer()
            #expect(left == 200)
            #expect(try await stage.keys().filter { $0.contains("__acks__") } == [])
            await stage.redis.shutDown()
        }
    }

    /// As many connections as commands that block, and not one more for each that was cancelled.
    @Test(arguments: TestSeed.first(1))
    func cancelledCommandsLeaveNoConnections(seed: TestSeed) async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let backend = RedisRateLimiterBackend(redis)
                for round in 0..<5 {
                    await cancelAtRandom(TestSeed(seed.number &+ UInt64(round)), count: 20) {
                        _ = try await backend.wait("nothing", timeout: .seconds(100))
                    }
                }
                try await eventually {
                    let list = try await redis.execute(RedisCommand("CLIENT", "LIST")).string()
                    return list.split(separator: "\n").count <= 21 && !list.contains("cmd=brpoplpush")
                }
            }
        }
    }
}
