import DramatiqRedis
import RedisTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RedisClientTests {
    @Test func scriptDigestIsThatOfTheStandard() {
        #expect(RedisScript("abc").digest == "a9993e364706816aba3e25717850c26c9cd0d89d")
    }

    @Test func commandsAreAnswered() async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            #expect(try await redis.execute(RedisCommand("SET", "key", [1, 2, 255] as [UInt8])).string() == "OK")
            #expect(try await redis.execute(RedisCommand("GET", "key")).bytes() == [1, 2, 255])
            let results = try await redis.pipeline((0..<1000).map { RedisCommand("INCRBY", "count", $0) })
            #expect(try results.last?.get().integer() == 999 * 1000 / 2)
            let script = RedisScript("return {KEYS[1], ARGV[1]}")
            for _ in 0..<2 {
                let values = try await redis.evaluate(script, keys: ["a"], 5).array().map { try $0.string() }
                #expect(values == ["a", "5"])
            }
            await redis.shutDown()
        }
    }
}
