import Dramatiq
import TestSupport
import Testing

@testable import DramatiqMemcached

@Suite(.timeLimit(.minutes(10))) struct MemcachedRateLimiterBackendTests {
    private let ttl = Duration.seconds(1000)

    private func withBackend(_ body: (MemcachedRateLimiterBackend, MemcachedClient) async throws -> Void) async throws {
        try await withMemcached { client, _ in try await body(MemcachedRateLimiterBackend(client), client) }
    }

    @Test func countersKeepToTheirBounds() async throws {
        try await withBackend { backend, client async throws in
            #expect(try await backend.add("a", value: 3, ttl: ttl))
            #expect(try await !backend.add("a", value: 9, ttl: ttl))
            #expect(try await backend.incr("a", amount: 2, maximum: 5, ttl: ttl))
            #expect(try await !backend.incr("a", amount: 1, maximum: 5, ttl: ttl))
            #expect(try await backend.decr("a", amount: 4, minimum: 1, ttl: ttl))
            #expect(try await !backend.decr("a", amount: 1, minimum: 1, ttl: ttl))
            #expect(try await !backend.incr("a", amount: .max, maximum: .max, ttl: ttl))
            #expect(try await !backend.decr("a", amount: .min, minimum: .min, ttl: ttl))
            #expect(try await client.entry("a")?.entry == Entry(text: "1", flags: 4))
            #expect(try await backend.incr("new", amount: 1, maximum: 1, ttl: ttl))
            #expect(try await !backend.decr("other", amount: 1, minimum: 0, ttl: ttl))
            #expect(try await client.entry("other") == nil)
            #expect(try await backend.incrAndSum("b", keys: { ["a", "b", "c"] }, amount: 2, maximum: 3, ttl: ttl))
            #expect(try await !backend.incrAndSum("c", keys: { ["a", "b", "c"] }, amount: 1, maximum: 3, ttl: ttl))
            for key in ["a", "b", "new"] {
                let left = try #require(try await client.entry(key)?.expiry.seconds)
                #expect((990...1000).contains(left))
            }
        }
    }

    @Test func countersAreAtomic() async throws {
        try await withMemcachedServers(2) { servers in
            let clients = try (0..<4).map { _ in try MemcachedClient(servers: servers.map(\.address)) }
            let done = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<200 {
                    let backend = MemcachedRateLimiterBackend(clients[number % 4])
                    group.addTask { try await backend.incr("n", amount: 1, maximum: 150, ttl: .seconds(1000)) }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(done == 150)
            #expect(try await clients[0].entry("n")?.entry.number("n") == 150)
            for client in clients { await client.shutDown() }
        }
    }

    @Test func everyChangeRenewsTheTimeToLive() async throws {
        try await withBackend { backend, client async throws in
            _ = try await backend.add("k", value: 5, ttl: .seconds(10))
            #expect(try await client.entry("k")?.expiry.seconds ?? 0 <= 10)
            let changes: [() async throws -> Bool] = [
                { try await backend.incr("k", amount: 1, maximum: 9, ttl: .seconds(100)) },
                { try await backend.decr("k", amount: 1, minimum: 0, ttl: .seconds(200)) },
                { try await backend.incrAndSum("k", keys: { ["k"] }, amount: 0, maximum: 9, ttl: .seconds(300)) },
            ]
            for (number, change) in changes.enumerated() {
                #expect(try await change())
                let left = try #require(try await client.entry("k")?.expiry.seconds)
                #expect((90...100).contains(left - number * 100))
            }
        }
    }

    @Test func whatIsOverIsForgotten() async throws {
        try await withBackend { backend, _ async throws in
            #expect(try await backend.add("k", value: 5, ttl: .milliseconds(1)))
            try await eventually { try await backend.add("k", value: 5, ttl: .seconds(100)) }
        }
    }

    @Test func limitersKeepToTheirLimits() async throws {
        try await withBackend { backend, client async throws in
            let mutex = try ConcurrentRateLimiter(backend: backend, key: "mutex", limit: 2)
            #expect(try await mutex.tryAcquire())
            #expect(try await mutex.tryAcquire())
            await #expect(throws: RateLimitExceeded(key: "mutex")) { try await mutex.acquire {} }
            try await mutex.release()
            let most = try await mutex.acquire { try await client.entry("mutex")?.entry.number("mutex") }
            #expect(most == 2)
            #expect(try await client.entry("mutex")?.entry.number("mutex") == 1)
            let bucket = try BucketRateLimiter(backend: backend, key: "bucket", limit: 3, bucket: .seconds(3600))
            var acquired = 0
            for _ in 0..<10 where try await bucket.tryAcquire() { acquired += 1 }
            #expect((3...6).contains(acquired))
            let window = try WindowRateLimiter(backend: backend, key: "window", limit: 5, window: .seconds(60))
            acquired = 0
            for _ in 0..<20 where try await window.tryAcquire() { acquired += 1 }
            #expect((5...10).contains(acquired))
        }
    }

    // MARK: Bounds

    private static let extremes: [Duration] = [
        .seconds(Int64.max), .seconds(Int64.min), .zero, .nanoseconds(1), .milliseconds(-1), .seconds(1e18),
        .seconds(Int64.max) + .milliseconds(999),
    ]

    @Test func limitsTakeEveryTime() async throws {
        try await withBackend { backend, client async throws in
            for (number, time) in Self.extremes.enumerated() {
                #expect(try await backend.add("a\(number)", value: 1, ttl: time))
                // A short time may be over at once.
                _ = try await backend.incr("b\(number)", amount: 1, maximum: 9, ttl: time)
                _ = try await backend.decr("c\(number)", amount: 1, minimum: -9, ttl: time)
                _ = try await backend.incrAndSum(
                    "d\(number)", keys: { ["d\(number)"] }, amount: 1, maximum: 9, ttl: time)
                if time > .seconds(1) { #expect(try await client.entry("a\(number)")?.expiry.seconds == nil) }
            }
        }
    }

    /// A larger number than that of 30 days is a date for Memcached, and one of 1970 would be over.
    @Test(arguments: [29, 30, 31, 365, 3650])
    func timesOfMoreThanAMonthAreKept(days: Int) async throws {
        try await withBackend { backend, client async throws in
            #expect(try await backend.add("k", value: 1, ttl: .seconds(days * 86_400)))
            let left = try #require(try await client.entry("k")?.expiry.seconds)
            #expect((days * 86_400 - 60...days * 86_400 + 1).contains(left))
        }
    }

    @Test func timesAreWholeSeconds() {
        #expect(Expiry(.seconds(5)).token == 5)
        #expect(Expiry(.milliseconds(5001)).token == 6)
        #expect(Expiry(.milliseconds(1)).token == 1)
        #expect(Expiry(.seconds(-5)).token == 1)
        #expect(Expiry(.seconds(30 * 86_400)).token == 2_592_000)
        #expect(Expiry(.seconds(30 * 86_400 + 1)).token > 1_700_000_000)
        #expect(Expiry(.seconds(Int64.max)).token == 0)
        #expect(Expiry(remaining: -1).token == 0)
        #expect(Expiry(remaining: 0).token == 1)
    }

    @Test func aKeyOfAnotherKindIsNamed() async throws {
        try await withBackend { backend, client async throws in
            for (key, entry) in [
                ("words", Entry(text: "many", flags: 4)), ("pickled", Entry(text: "1", flags: 1)),
                ("empty", Entry(text: "", flags: 4)), ("large", Entry(text: "99999999999999999999", flags: 4)),
            ] {
                #expect(try await client.add(key, entry, Expiry(.seconds(100))))
                await #expect {
                    _ = try await backend.incr(key, amount: 1, maximum: 9, ttl: .seconds(9))
                } throws: {
                    "\($0)".contains(key)
                }
                #expect(try await client.entry(key)?.entry == entry)
            }
        }
    }

    @Test(arguments: ["", " ", "a b", "a\n", "a\r\nflush_all", "\u{7F}", "\0", String(repeating: "x", count: 251)])
    func keysThatNoServerTakesAreRefused(key: String) async throws {
        try await withBackend { backend, client async throws in
            #expect(try await backend.add("other", value: 1, ttl: .seconds(100)))
            let error = await memcachedError { try await backend.add(key, value: 1, ttl: .seconds(100)) }
            #expect(error?.code == .invalidKey)
            #expect(error?.isTransient == false)
            #expect(try await client.entry("other") != nil)
        }
    }

    @Test func keysCanBeLongAndOfAnyScript() async throws {
        try await withBackend { backend, client async throws in
            for key in [String(repeating: "x", count: 250), "größe", "鍵", "a/b:c{d}"] {
                #expect(try await backend.add(key, value: 7, ttl: .seconds(100)))
                #expect(try await client.entry(key)?.entry.number(key) == 7)
            }
        }
    }
}
