import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqRedis
import DramatiqTestKit
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Workers that are killed while runs end: nothing is missed by a run that goes on, and what is left is what a sweep finds.
///
/// `CRASH_ROUNDS` in the environment sets another number of kills.
@Suite(.timeLimit(.minutes(20))) struct RunContentCrashTests {
    private static let rounds = ProcessInfo.processInfo.environment["CRASH_ROUNDS"].flatMap(Int.init) ?? 100
    /// How many runs a killed worker may have been about to clean up: those that it worked on.
    private static let concurrency = 4

    @Test(arguments: ["file", "dedup.redis"]) func aSweepFindsWhatIsLeft(kind: String) async throws {
        try await withRedisServer { server in
            let path = FileManager.default.temporaryDirectory.path + "/ended-runs-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: path) }
            let storage = SharedStorage(kind == "file" ? "file:\(path)" : kind)
            let seed = TestSeed(9100)
            let fleet = try WorkflowFleet(
                server, namespace: "ended", heartbeat: .milliseconds(300), storage: storage)
            let store: any WorkflowStoreOperations =
                kind == "file"
                ? FileWorkflowStore(StorageDirectory(path)) : RedisWorkflowStore(fleet.redis, namespace: "ended")
            let violations = try await fleet.violations(killingWorkers: Self.rounds, firstTree: 500, seed)
            #expect(violations == [], "\(seed)")
            let runs = try await StoredRuns(fleet.broker, store)
            let left = try await runs.names()
            #expect(left.count <= Self.rounds * Self.concurrency, "\(seed)")
            let report = try await store.sweep(olderThan: .seconds(-60), isDryRun: false)
            #expect(report.removed == left.count && report.failureCount == 0, "\(seed)")
            #expect(try await runs.names().isEmpty)
        }
    }
}
