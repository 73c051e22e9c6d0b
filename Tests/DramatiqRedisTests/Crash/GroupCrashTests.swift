import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Workers that are killed while groups lose members: each group goes on or fails once, all of its members are waited for, and
/// what has failed can be retried.
///
/// `CRASH_ROUNDS` in the environment sets another number of kills.
@Suite(.timeLimit(.minutes(20))) struct GroupCrashTests {
    private static let rounds = ProcessInfo.processInfo.environment["CRASH_ROUNDS"].flatMap(Int.init) ?? 180
    private static let lanes = 6
    /// The numbers of the tasks that are told of ends: of the group, of the group in it, of the run.
    private static let (group, inner, run) = (1000, 1010, 1020)

    @Test func eachGroupEndsOnce() async throws {
        try await withRedisServer { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<Self.lanes {
                    group.addTask { try await Self.killWorkers(server, lane, rounds: Self.rounds / Self.lanes) }
                }
                try await group.waitForAll()
            }
        }
    }

    /// A group that can lose two of its four members, with one in it that loses one of two and has failed by that if it may lose
    /// none. Every other workflow needs one member more than succeed.
    private static func workflow(_ number: Int, _ broker: Broker) -> Workflow {
        func task(_ id: Int) -> Message { WorkflowFleet.task(number, id) }
        func group(_ told: Int, _ minimum: Int, _ parts: any WorkflowComponent...) -> Group {
            Group(
                children: parts.map(\.node), failurePolicy: .collect(minimum: minimum), onSuccess: task(told),
                onFailure: task(told + 1), onEnd: task(told + 2))
        }
        return Workflow(
            Chain(
                task(0),
                group(
                    Self.group, number.isMultiple(of: 2) ? 2 : 3,
                    Chain(
                        task(1), group(inner, 2, Chain(task(2), WorkflowFleet.task(number, 3, fails: true)), task(4)),
                        task(5)),
                    task(6), Chain(WorkflowFleet.task(number, 7, fails: true), task(8)), Chain(task(10), task(11))),
                task(9)),
            onSuccess: task(run), onFailure: task(run + 1), onEnd: task(run + 2), broker: broker)
    }

    private static func killWorkers(_ server: RedisServer, _ lane: Int, rounds: Int) async throws {
        let seed = TestSeed(lane + 8000)
        let namespace = "lane\(lane)"
        let fleet = try WorkflowFleet(server, namespace: namespace, heartbeat: .milliseconds(300))
        var runs: [WorkflowRun] = []
        let workers = try await fleet.killingWorkers(rounds: rounds, progress: 1...9, seed) { number in
            runs.append(try await workflow(number, fleet.broker).run())
        }
        for (number, run) in runs.enumerated() {
            let state = number.isMultiple(of: 2) ? RunState.succeeded : .failed
            try await eventually {
                let status = try await run.status(listing: 0)
                return status.run.state == state && status.total.inFlight == 0
            }
            let total = try await run.status().total
            #expect(total.sent == total.succeeded + total.failed + total.held, "\(total), \(number), \(seed)")
            #expect(total.failed == 2, "\(total), \(number), \(seed)")
        }
        try await fleet.transport.join(timeout: .patience)
        for number in runs.indices {
            let told = try await told(fleet, number)
            let expected = number.isMultiple(of: 2) ? [1, 0, 1, 0, 1, 1, 1, 0, 1] : [0, 1, 1, 0, 1, 1, 0, 1, 1]
            #expect(told == expected, "\(number) in lane \(lane), \(seed)")
        }
        try await fleet.mend()
        for (number, run) in runs.enumerated() where !number.isMultiple(of: 2) {
            try await eventually {
                try await run.retryFailed()
                return try await run.status(listing: 0).run.state == .succeeded
            }
            let total = try await run.status().total
            #expect(
                total.sent == 12 && total.succeeded == 12 && total.failed == 0 && total.held == 0,
                "\(total), \(number), \(seed)")
        }
        try await fleet.transport.join(timeout: .patience)
        for number in runs.indices where !number.isMultiple(of: 2) {
            let told = try await told(fleet, number)
            #expect(told == [1, 1, 2, 1, 1, 2, 1, 1, 2], "\(number) in lane \(lane), \(seed)")
        }
        for worker in workers { worker.kill() }
    }

    /// How often a workflow's callbacks ran: of the group, of the one in it, of the run; on success, failure and end.
    private static func told(_ fleet: WorkflowFleet, _ number: Int) async throws -> [Int] {
        let ids = try await TaskEvents(fleet.redis, namespace: fleet.namespace).ids
        return [group, inner, run].flatMap { first in (0..<3).map { ids[number]?[first + $0]?.count ?? 0 } }
    }
}
