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
        var generator = seed.generator
        let fleet = try WorkflowFleet(
            redis, namespace: "lane\(lane)", heartbeat: .milliseconds(300), memcached: servers.map(\.address))
        var workers = [try fleet.startWorker(), try fleet.startWorker()]
        for round in 0..<rounds {
            let hasNothingToDo = try await fleet.transport.unfinishedCount() == 0
            if hasNothingToDo || round.isMultiple(of: 4) {
                try await fleet.startTree(seed: TestSeed(lane * 1000 + round))
            }
            // Between two events that are drawn by lot, so that workers have come to something on any machine.
            try await fleet.progress(by: Int.random(in: 1...20, using: &generator))
            try await Task.sleep(for: .microseconds(Int.random(in: 0...5000, using: &generator)))
            let victim = Int.random(in: 0...1, using: &generator)
            workers[victim].kill()
            workers[victim] = try fleet.startWorker()
        }
        #expect(try await fleet.violations(exactlyOnce: false) == [], "lane \(lane), \(seed)")
        for worker in workers { worker.kill() }
    }
}
