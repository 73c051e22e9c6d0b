import Dramatiq
import RedisTestSupport
import TestSupport
import Testing

@testable import DramatiqMemcached

/// Keys in Memcached that Swift and Python share.
@Suite(.timeLimit(.minutes(10))) struct MemcachedTests {
    /// Has Python's backend do something; see `peer.py`.
    private func python(_ servers: [MemcachedServer], binary: Bool = true, _ calls: [JSONValue]) async throws
        -> [JSONValue]
    {
        let lines = try await PythonPeer.run(
            ["memcached", servers.map(\.address).joined(separator: ",")], input: calls.map { $0.encoded() },
            environment: binary ? ["BINARY": "1"] : [:])
        return try lines.map { try JSONValue(parsing: $0) }
    }

    private func withClient(
        _ count: Int,
        _ body: ([MemcachedServer], MemcachedClient) async throws -> Void
    ) async throws {
        try await withMemcachedServers(count) { servers in
            let client = try MemcachedClient(servers: servers.map(\.address))
            try await body(servers, client)
            await client.shutDown()
        }
    }

    /// Each key lies on the same server for both, however many there are.
    @Test(arguments: [1, 2, 3, 5, 8], [true, false])
    func keysLieOnTheSameServers(count: Int, binary: Bool) async throws {
        try await withClient(count) { servers, client in
            var random = TestSeed(count).generator
            let keys = (0..<1000).map { number in
                let length = Int.random(in: 0...40, using: &random)
                let letters = binary ? "abcXYZ09_-.:@{}äß鍵" : "abcXYZ09_-.:@{}"
                return "\(number)" + String((0..<length).map { _ in letters.randomElement(using: &random) ?? "x" })
            }
            let set = try await python(
                servers, binary: binary,
                keys.enumerated().map { ["set", .string($1), .integer($0), 1000] })
            #expect(set == Array(repeating: true, count: keys.count))
            let read = try await client.entries(keys).enumerated().map { try $1?.entry.number(keys[$0]) }
            #expect(read == Array(0..<keys.count))
            for (number, key) in keys.prefix(200).enumerated() {
                let ours = "ours" + key
                #expect(try await client.add(ours, Entry(number * 3), Expiry(.seconds(1000))))
            }
            let theirs = try await python(
                servers, binary: binary, keys.prefix(200).map { ["get", .string("ours" + $0)] })
            #expect(theirs == (0..<200).map { .integer($0 * 3) })
        }
    }

    @Test(arguments: [true, false])
    func countersAreShared(binary: Bool) async throws {
        try await withClient(2) { servers, client in
            let backend = MemcachedRateLimiterBackend(client)
            let ttl = Duration.seconds(1000)
            #expect(try await backend.add("ours", value: 5, ttl: ttl))
            var results = try await python(
                servers, binary: binary,
                [
                    ["get", "ours"], ["add", "ours", 1, 1_000_000], ["incr", "ours", 2, 7, 1000],
                    ["decr", "ours", 3, 4, 1000],
                    ["add", "theirs", 12, 1_000_000], ["decr", "theirs", 4, 1, 1000],
                    ["sum", "a", ["a", "ours", "theirs"], 1, 13, 1_000_000],
                    ["sum", "a", ["a", "ours", "theirs"], 1, 13, 1_000_000],
                ])
            #expect(results == [5, false, true, true, true, true, true, false])
            #expect(try await !backend.incr("ours", amount: 1, maximum: 4, ttl: ttl))
            #expect(try await backend.incr("ours", amount: 1, maximum: 5, ttl: ttl))
            // Two digits have become one, and the server has put a space behind it.
            #expect(try await backend.decr("theirs", amount: 8, minimum: 0, ttl: ttl))
            #expect(
                try await backend.incrAndSum("a", keys: { ["a", "ours", "theirs"] }, amount: 4, maximum: 10, ttl: ttl))
            results = try await python(servers, binary: binary, [["get", "ours"], ["get", "theirs"], ["get", "a"]])
            #expect(results == [5, 0, 5])
        }
    }

    @Test func aLimitIsShared() async throws {
        try await withClient(1) { servers, client in
            let backend = MemcachedRateLimiterBackend(client)
            let limiter = try ConcurrentRateLimiter(backend: backend, key: "limit", limit: 3)
            #expect(try await limiter.tryAcquire())
            #expect(try await python(servers, [["acquire", "limit", 3], ["acquire", "limit", 3]]) == [true, true])
            #expect(try await !limiter.tryAcquire())
            #expect(try await python(servers, [["release", "limit", 3]]) == [true])
            #expect(try await limiter.tryAcquire())
            try await limiter.release()
            try await limiter.release()
            let window = try WindowRateLimiter(backend: backend, key: "window", limit: 3, window: .seconds(60))
            var acquired = 0
            for _ in 0..<2 where try await window.tryAcquire() { acquired += 1 }
            let theirs = try await python(servers, [["window", "window", 3, 60], ["window", "window", 3, 60]])
            acquired += theirs.filter { $0 == true }.count
            #expect((3...4).contains(acquired))
        }
    }

    /// Barriers that either side has made, with parties of both.
    @Test(arguments: ["counting", "once"], [true, false])
    func barriersAreShared(kind: String, isPythons: Bool) async throws {
        try await withClient(2) { servers, client in
            let backend = MemcachedRateLimiterBackend(client)
            let key = BarrierKey(key: "g", releaseKey: kind == "once" ? "g_ran" : nil, ttl: .seconds(86_400))
            func arrive(_ party: String) async throws -> StateCommit.Result {
                try await backend.apply(
                    StateCommit(store: backend, arrival: .init(barrier: key, party: party, releases: false)))
            }
            for last in ["python", "swift"] {
                _ = try await client.execute(
                    ["g", "g_ran", "g_arrived.1.0"].map(MetaCommand.delete))
                if isPythons {
                    #expect(try await python(servers, [["create", .string(kind), "g", 4]]) == [true])
                } else {
                    _ = try await backend.apply(
                        StateCommit(store: backend, creations: [.init(barrier: key, parties: 4)]))
                }
                #expect(try await arrive("a") == .committed)
                #expect(try await python(servers, [["arrive", .string(kind), "g"]]) == [false])
                #expect(try await arrive("b") == .committed)
                #expect(try await arrive("a") == .committed)
                if last == "swift" {
                    #expect(try await arrive("c") == .opened)
                    #expect(try await backend.apply(StateCommit(store: backend, releases: [key])) == .committed)
                } else {
                    #expect(try await python(servers, [["arrive", .string(kind), "g"]]) == [true])
                }
                guard kind == "once" else { continue }
                // The release is known to both.
                #expect(try await arrive("a") == .alreadyReleased)
                #expect(try await backend.apply(StateCommit(store: backend, releases: [key])) == .alreadyReleased)
                #expect(try await python(servers, [["arrive", .string(kind), "g"]]) == [false])
            }
        }
    }
}
