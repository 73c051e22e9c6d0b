import Dramatiq
import DramatiqRedis
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Workers that are killed while random workflows run whose messages are in Redis and whose barriers are in Memcached: all
/// of them end, no task is missing, nothing starts too early.
///
/// `CRASH_ROUNDS` in the environment sets another number of kills.
@Suite(.timeLimit(.minutes(20))) struct MemcachedCrashTests {
    private static let rounds = ProcessInfo.processInfo.environment["CRASH_ROUNDS"].flatMap(Int.init) ?? 300
    private static let lanes = 6

    @Test func workersAreKilledAtRandomMoments() async throws {
        try await withRedisServer { redis in
            try await withMemcachedServers(2) { servers in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for lane in 0..<Self.lanes {
                        group.addTask {
                            try await Self.killWorkers(redis, servers, lane, rounds: Self.rounds / Self.lanes)
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    private static func killWorkers(
        _ redis: RedisServer,
        _ servers: [MemcachedServer],
        _ lane: Int,
        rounds: Int
    ) async throws {
        let seed = TestSeed(lane + 1)
        let fleet = try WorkflowFleet(
            redis, namespace: "lane\(lane)", heartbeat: .milliseconds(300), memcached: servers.map(\.address))
        // In every other lane tasks add others.
        let violations = try await fleet.violations(
            killingWorkers: rounds, firstTree: lane * 1000, adding: lane % 2 * 3, seed)
        #expect(violations == [], "lane \(lane), \(seed)")
    }
}
