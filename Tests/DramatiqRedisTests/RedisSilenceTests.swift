import Dramatiq
import DramatiqDedupStorage
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// A server that takes connections and commands and never answers: every call ends by itself.
@Suite(.timeLimit(.minutes(5))) struct RedisSilenceTests {
    enum Silence: CaseIterable, Sendable {
        /// It says nothing at all.
        case fromTheBeginning
        /// It greets, and then says nothing.
        case afterTheGreeting
        /// It says nothing to the beginning of an encrypted connection.
        case whereEncryptionBegins
    }

    private static let calls: [(name: String, call: @Sendable (Clients) async throws -> Void)] = [
        ("execute", { _ = try await $0.redis.execute(RedisCommand("PING")) }),
        (
            "pipeline",
            { _ = try await $0.redis.pipeline([RedisCommand("PING"), RedisCommand("PING")]).map { try $0.get() } }
        ),
        ("block", { _ = try await $0.redis.block(RedisCommand("PING"), timeout: .milliseconds(1)) }),
        ("evaluate", { _ = try await $0.redis.evaluate(RedisScript("return 1"), keys: ["k"]) }),
        ("add", { _ = try await $0.backend.add("k", value: 1, ttl: .seconds(1)) }),
        ("incr", { _ = try await $0.backend.incr("k", amount: 1, maximum: 2, ttl: .seconds(1)) }),
        ("decr", { _ = try await $0.backend.decr("k", amount: 1, minimum: 0, ttl: .seconds(1)) }),
        (
            "incrAndSum",
            { _ = try await $0.backend.incrAndSum("k", keys: { ["l"] }, amount: 1, maximum: 2, ttl: .seconds(1)) }
        ),
        ("wait", { _ = try await $0.backend.wait("k", timeout: .milliseconds(10)) }),
        ("notify", { try await $0.backend.notify("k", ttl: .seconds(1)) }),
        ("acquire", { _ = try await $0.backend.acquire("k", limit: 1, holder: "h", ttl: .seconds(1)) }),
        ("release", { try await $0.backend.release("k", holder: "h", ttl: .seconds(1)) }),
        ("verify barriers", { try await $0.backend.verifyAccess(barrierKeyPrefix: "") }),
        (
            "apply",
            {
                _ = try await $0.backend.apply(
                    StateCommit(store: $0.backend, releases: [BarrierKey(key: "k", ttl: .seconds(1))]))
            }
        ),
        ("store", { _ = try await $0.store.store([1], completionID: "id") }),
        ("load", { _ = try await $0.store.load("id", completionID: "id") }),
        ("refresh", { try await $0.store.refresh("id", completionID: "id", for: .seconds(1)) }),
        ("status", { _ = try await $0.transport.status() }),
        ("queue names", { _ = try await $0.transport.queueNames() }),
        ("workers", { _ = try await $0.transport.workers() }),
        ("unfinished", { _ = try await $0.transport.unfinishedCount() }),
        ("flush", { _ = try await $0.transport.flush() }),
        ("dead letters", { _ = try await $0.transport.deadLetters() }),
        ("sample", { _ = try await $0.transport.sample() }),
        ("verify queues", { try await $0.transport.verifyAccess(to: ["default"]) }),
        (
            "send",
            {
                let broker = Broker(transport: $0.transport)
                try await broker.enqueue([Message(queueName: "default", actorName: "a")])
            }
        ),
        (
            "take",
            {
                let consumer = try await $0.transport.consumer(of: "default", prefetch: 1)
                do {
                    _ = try await consumer.next(limit: 1)
                } catch {
                    await consumer.close()
                    throw error
                }
            }
        ),
    ]

    @Test(arguments: Silence.allCases) func everyCallEnds(silence: Silence) async throws {
        if silence == .whereEncryptionBegins {
            try await withRedisServer { server in
                server.suspend()
                try await expectEnds("rediss://127.0.0.1:\(server.port)")
                server.resume()
            }
        } else {
            try await withScriptedServer(seesHello: silence == .fromTheBeginning) { _, _ in
                .silence
            } _: { server in
                try await expectEnds(server.url)
            }
        }
    }

    private func expectEnds(_ url: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (name, call) in Self.calls {
                group.addTask {
                    let error = await redisError {
                        try await withRedis(url) {
                            $0.connectTimeout = .milliseconds(300)
                            $0.commandTimeout = .milliseconds(300)
                        } _: { redis async throws in
                            try await call(Clients(redis))
                        }
                    }
                    #expect(error?.isTransient == true, "\(name): \(String(describing: error))")
                }
            }
            try await group.waitForAll()
        }
    }

    /// All that is on one client.
    struct Clients: Sendable {
        let redis: RedisClient
        let transport: RedisTransport
        let backend: RedisRateLimiterBackend
        let store: RedisWorkflowStore

        init(_ redis: RedisClient) {
            self.redis = redis
            transport = RedisTransport(
                redis, configuration: .init(sendPatience: .milliseconds(100)), logger: RecordingLog().logger)
            backend = RedisRateLimiterBackend(redis)
            store = RedisWorkflowStore(redis)
        }
    }
}
