import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Workers that are killed, servers that are killed and connections that are cut while random workflows run: all of
/// them end, no task is missing, nothing is enqueued twice, nothing starts too early.
///
/// `CRASH_ROUNDS` in the environment sets another number of kills.
@Suite(.timeLimit(.minutes(20))) struct CrashTests {
    private static let rounds = ProcessInfo.processInfo.environment["CRASH_ROUNDS"].flatMap(Int.init) ?? 300
    private static let lanes = 6

    @Test func workersAreKilledAtRandomMoments() async throws {
        try await withRedisServer { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<Self.lanes {
                    group.addTask { try await Self.killWorkers(server, lane, rounds: Self.rounds / Self.lanes) }
                }
                try await group.waitForAll()
            }
        }
    }

    private static func killWorkers(_ server: RedisServer, _ lane: Int, rounds: Int) async throws {
        let seed = TestSeed(lane + 1)
        let fleet = try WorkflowFleet(server, namespace: "lane\(lane)", heartbeat: .milliseconds(300))
        // In every other lane tasks add others.
        let violations = try await fleet.violations(
            killingWorkers: rounds, firstTree: lane * 1000, adding: lane.isMultiple(of: 2) ? 3 : 0, seed)
        #expect(violations == [], "lane \(lane), \(seed)")
    }

    /// The worker dies at every step of what a workflow commits: before a commit is sent, and after it was done and
    /// before the worker hears of it.
    @Test func workersDieAtEveryStepOfASettlement() async throws {
        try await withRedisServer { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for moment in ["before", "after"] {
                    for lane in 0..<3 { group.addTask { try await Self.killAtEveryStep(server, lane, moment) } }
                }
                try await group.waitForAll()
            }
        }
    }

    private static func killAtEveryStep(_ server: RedisServer, _ lane: Int, _ moment: String) async throws {
        let fleet = try WorkflowFleet(server, namespace: "\(moment)\(lane)", heartbeat: .milliseconds(250))
        for step in 1...10 {
            try await fleet.startTree(seed: TestSeed(lane * 100 + step), adding: lane)
            let worker = try fleet.startWorker(concurrency: 2, die: "\(moment):\(step * 3 - lane)")
            try await eventually {
                guard worker.isRunning else { return true }
                return try await fleet.transport.unfinishedCount() == 0
            }
            worker.kill()
        }
        let worker = try fleet.startWorker()
        let violations = try await fleet.violations(exactlyOnce: false)
        #expect(violations == [], "\(moment), lane \(lane), \(TestSeed(0))")
        worker.kill()
    }

    @Test func theServerIsKilledAndStartedAgain() async throws {
        try await withRedisServer(.appendOnly) { server in
            let seed = TestSeed(5)
            var generator = seed.generator
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(500))
            let workers = [try fleet.startWorker(), try fleet.startWorker()]
            for round in 0..<12 {
                for tree in 0..<3 { try await fleet.startTree(seed: TestSeed(round * 10 + tree)) }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...150, using: &generator)))
                try await server.restart()
            }
            let violations = try await fleet.violations(exactlyOnce: false)
            #expect(violations == [], "\(seed)")
            #expect(workers.allSatisfy { $0.isRunning })
            for worker in workers { worker.kill() }
        }
    }

    @Test func connectionsAreCut() async throws {
        try await withRedisServer { server in
            let seed = TestSeed(6)
            var generator = seed.generator
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            let workers = [try fleet.startWorker(), try fleet.startWorker()]
            let knife = try RedisClient(url: server.url)
            for round in 0..<40 {
                if round.isMultiple(of: 4) { try await fleet.startTree(seed: TestSeed(round)) }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...60, using: &generator)))
                _ = try await knife.execute(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
            }
            let violations = try await fleet.violations(exactlyOnce: true)
            #expect(violations == [], "\(seed)")
            #expect(workers.allSatisfy { $0.isRunning })
            for worker in workers { worker.kill() }
        }
    }

    /// A worker stands still for longer than its lease, and comes back to messages that others have by now.
    @Test func aWorkerThatStoodStillDoesNothingTwice() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            let frozen = try fleet.startWorker()
            for seed in TestSeed.first(12) { try await fleet.startTree(seed: seed) }
            try await eventually { try await !TaskEvents(fleet.redis, namespace: "dramatiq").lives.isEmpty }
            frozen.suspend()
            let other = try fleet.startWorker()
            let whileFrozen = try await fleet.violations(exactlyOnce: false)
            #expect(whileFrozen == [])
            frozen.resume()
            for number in 13...20 { try await fleet.startTree(seed: TestSeed(number)) }
            let violations = try await fleet.violations(exactlyOnce: false)
            #expect(violations == [], "\(TestSeed(0))")
            #expect(frozen.isRunning)
            frozen.kill()
            other.kill()
        }
    }

    /// Tasks that keep all threads of the pool busy don't keep their worker from being heard.
    @Test func aBusyWorkerIsNotTakenForDead() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(600))
            let end = server.directory.appending(path: "end")
            let threads = ProcessInfo.processInfo.activeProcessorCount
            let busy = try fleet.startWorker(concurrency: threads + 4, holdingUntil: end)
            try await fleet.sendTasks(0..<2 * threads, milliseconds: -1)
            // None of them lets its thread go, so there is an end to those that start.
            var started = 0
            while try await fleet.lives().count > started || started == 0 {
                started = try await fleet.lives().count
                try await Self.hearHeartbeat(fleet)
            }
            for _ in 0..<4 { try await Self.hearHeartbeat(fleet) }
            #expect(try await fleet.lives().values.allSatisfy { $0.ends == 0 })
            try Data().write(to: end)
            let violations = try await fleet.violations(exactlyOnce: true)
            #expect(violations == [])
            let events = try await TaskEvents(fleet.redis, namespace: "dramatiq")
            #expect(try await fleet.lives().count == 2 * threads)
            #expect(events.repetitions == 0)
            busy.kill()
        }
    }

    /// Waits for the next heartbeat of the only worker.
    private static func hearHeartbeat(_ fleet: WorkflowFleet) async throws {
        func last() async throws -> Double {
            let beats = try await fleet.redis.execute(
                RedisCommand("ZRANGE", "\(fleet.namespace):__heartbeats__", 0, -1, "WITHSCORES"))
            return try Self.scores(beats).max() ?? 0
        }
        let heard = try await last()
        try await eventually { try await last() > heard }
    }

    /// Scores come as pairs or one after the other, by the server's version.
    private static func scores(_ reply: RESPValue) throws -> [Double] {
        let elements = try reply.array()
        if case .array? = elements.first { return try elements.map { try $0.array()[1].double() } }
        return try stride(from: 1, to: elements.count, by: 2).map { try elements[$0].double() }
    }
}
