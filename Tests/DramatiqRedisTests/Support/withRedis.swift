import DramatiqRedis
import Logging
import RedisTestSupport
import TestSupport

/// Runs a test's body with a client, which is shut down afterwards.
func withRedis(
    _ url: String,
    log: RecordingLog = RecordingLog(),
    _ change: (inout RedisConfiguration) -> Void = { _ in },
    _ body: (RedisClient) async throws -> Void
) async throws {
    var configuration = try RedisConfiguration(url: url)
    change(&configuration)
    let redis = try RedisClient(configuration, logger: log.logger)
    do {
        try await body(redis)
        await redis.shutDown()
    } catch {
        await redis.shutDown()
        throw error
    }
}

/// The error that a body throws.
func redisError(_ body: () async throws -> some Any) async -> RedisError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? RedisError
    }
}

/// Has the server end the client's connection, and waits until there is another. What is sent before the end shows
/// fails with the old one.
func loseConnection(_ redis: RedisClient) async throws {
    _ = await redisError { try await redis.execute(RedisCommand("CLIENT", "KILL", "SKIPME", "no")) }
    try await eventually { (try? await redis.execute(RedisCommand("PING"))) != nil }
}
