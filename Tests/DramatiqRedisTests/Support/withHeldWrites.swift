import DramatiqRedis
import RedisTestSupport
import TestSupport

/// Has the server put off whatever writes until a body ends.
func withHeldWrites<Result>(
    _ server: RedisServer, _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    let other = try RedisClient(url: server.url)
    _ = try await other.execute(RedisCommand("CLIENT", "PAUSE", 600_000, "WRITE"))
    let result = try await body(other)
    _ = try await other.execute(RedisCommand("CLIENT", "UNPAUSE"))
    await other.shutDown()
    return result
}

/// Waits until the server has put something off.
func expectHeldWrite(_ redis: RedisClient) async throws {
    try await eventually {
        try await redis.execute(RedisCommand("CLIENT", "LIST")).string().contains(" flags=b ")
    }
}
