import Dramatiq
import DramatiqRedis
import DramatiqTestKit
import RedisTestSupport
import TestSupport
import Testing

/// Results on a server.
@Suite(.timeLimit(.minutes(10))) struct RedisResultTests {
    @Test(arguments: ResultPromises.all.claimed(by: RedisResultSubject.resultClaims), [true, false])
    func keepsThePromises(promise: Promise<any ResultSubject>, isHashed: Bool) async throws {
        try await withRedisServer { server in
            try await promise.check(try RedisResultSubject(server, keys: isHashed ? .hashed : .readable))
        }
    }

    @Test func allIsClaimed() {
        #expect(ResultPromises.all.notClaimed(by: RedisResultSubject.resultClaims).isEmpty)
    }

    /// The keys are those of dramatiq: the digest is that of `dramatiq-results:default:add:1`.
    @Test func keysAreThoseOfDramatiq() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let key = ResultKey(queueName: "default.DQ", actorName: "add", messageID: "1")
                for (backend, name) in [
                    (RedisResultBackend(redis), "00fea6ba88f1d546239485b0e913bc0a"),
                    (RedisResultBackend(redis, keys: .readable), "dramatiq-results:default:add:1"),
                    (RedisResultBackend(redis, namespace: "a", keys: .readable), "a:default:add:1"),
                ] {
                    try await backend.store([1], for: key, ttl: .seconds(100))
                    let list = try await redis.execute(RedisCommand("LRANGE", name, 0, -1)).array()
                    #expect(list == [.string([1])], "\(name)")
                    let ttl = try await redis.execute(RedisCommand("PTTL", name)).integer()
                    #expect((1...100_000).contains(ttl))
                }
            }
        }
    }

    @Test func somethingElseInAKeyIsAnErrorOrReplaced() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let backend = RedisResultBackend(redis, keys: .readable)
                let key = ResultKey(queueName: "q", actorName: "a", messageID: "1")
                _ = try await redis.execute(RedisCommand("SET", "dramatiq-results:q:a:1", "v"))
                let error = await redisError { try await backend.result(for: key, timeout: .seconds(1)) }
                #expect(error?.description.contains("WRONGTYPE") == true)
                try await backend.store([7], for: key, ttl: .seconds(100))
                #expect(try await backend.result(for: key, timeout: .zero) == [7])
            }
        }
    }

    /// Their keys lie in any slot.
    @Test(arguments: [1, 3]) func aClusterKeepsResults(nodes: Int) async throws {
        try await withRedisCluster(nodes: nodes) { cluster in
            for node in cluster.nodes {
                try await withRedis(node.url) { redis in
                    let backend = RedisResultBackend(redis)
                    for number in 0..<10 {
                        let key = ResultKey(queueName: "q", actorName: "a", messageID: "\(node.url) \(number)")
                        async let found = backend.result(for: key, timeout: .patience)
                        try await backend.store([UInt8(number)], for: key, ttl: .seconds(100))
                        #expect(try await found == [UInt8(number)])
                    }
                    let keys = (0..<10).map {
                        ResultKey(queueName: "q", actorName: "a", messageID: "\(node.url) \($0)")
                    }
                    let all = try await backend.results(for: keys, maxSize: 10)
                    #expect(all == (0..<10).map { [$0] })
                }
            }
        }
    }
}
