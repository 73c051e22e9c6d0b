import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Workers that are killed while runs fail and are retried: each end is told of once, and the counts add up.
///
/// `CRASH_ROUNDS` in the environment sets another number of kills.
@Suite(.timeLimit(.minutes(20))) struct RunCallbackCrashTests {
    private static let rounds = ProcessInfo.processInfo.environment["CRASH_ROUNDS"].flatMap(Int.init) ?? 300
    private static let lanes = 6
    /// The numbers of the tasks that are told of ends.
    private static let (failure, end, success) = (1000, 1001, 1002)

    @Test func eachEndIsToldOfOnce() async throws {
        try await withRedisServer { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<Self.lanes {
                    group.addTask { try await Self.killWorkers(server, lane, rounds: Self.rounds / Self.lanes) }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Chains in groups in chains, in which two tasks fail beside others.
    private static func workflow(_ number: Int, _ broker: Broker) -> Workflow {
        func task(_ id: Int) -> Message { WorkflowFleet.task(number, id) }
        return Workflow(
            Chain(
                task(0),
                Group(
                    Chain(task(1), Group(Chain(task(2), WorkflowFleet.task(number, 3, fails: true)), task(4)), task(5)),
                    task(6), Chain(WorkflowFleet.task(number, 7, fails: true), task(8))),
                task(9)),
            onSuccess: task(success), onFailure: task(failure), onEnd: task(end), broker: broker)
    }

    private static func killWorkers(_ server: RedisServer, _ lane: Int, rounds: Int) async throws {
        let seed = TestSeed(lane + 7000)
        let namespace = "lane\(lane)"
        let fleet = try WorkflowFleet(server, namespace: namespace, heartbeat: .milliseconds(300))
        var runs: [WorkflowRun] = []
        let workers = try await fleet.killingWorkers(rounds: rounds, progress: 1...8, seed) { number in
            runs.append(try await workflow(number, fleet.broker).run())
        }
        for (number, run) in runs.enumerated() {
            try await eventually { try await run.status(listing: 0).total.inFlight == 0 }
            let status = try await run.status()
            let total = status.total
            #expect(status.run.state == .failed, "\(number) in lane \(lane), \(seed)")
            #expect(total.sent == total.succeeded + total.failed + total.held, "\(total), \(number), \(seed)")
            #expect(total.failed == status.failureCount && 1...2 ~= total.failed, "\(total), \(number), \(seed)")
        }
        try await fleet.transport.join(timeout: .patience)
        var ids = try await TaskEvents(fleet.redis, namespace: namespace).ids
        for number in runs.indices {
            let told = [failure, end, success].map { ids[number]?[$0]?.count ?? 0 }
            #expect(told == [1, 1, 0], "\(number) in lane \(lane), \(seed)")
        }
        try await fleet.mend()
        for run in runs { try await run.retryFailed() }
        for run in runs {
            try await eventually {
                // What was held back by a worker that didn't know yet goes back the next time.
                try await run.retryFailed()
                return try await run.status(listing: 0).run.state == .succeeded
            }
            let total = try await run.status().total
            #expect(
                total.sent == 10 && total.succeeded == 10 && total.failed == 0 && total.held == 0, "\(total), \(seed)")
        }
        try await fleet.transport.join(timeout: .patience)
        ids = try await TaskEvents(fleet.redis, namespace: namespace).ids
        for number in runs.indices {
            let told = [failure, end, success].map { ids[number]?[$0]?.count ?? 0 }
            #expect(told == [1, 2, 1], "\(number) in lane \(lane), \(seed)")
        }
        for worker in workers { worker.kill() }
    }
}
