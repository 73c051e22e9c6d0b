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
@Suite(.timeLimit(.minutes(10))) struct CrashTests {
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
        var generator = SeededGenerator(seed: UInt64(lane) + 1)
        let fleet = try WorkflowFleet(server, namespace: "lane\(lane)", heartbeat: .milliseconds(300))
        var workers = [try fleet.startWorker(), try fleet.startWorker()]
        for round in 0..<rounds {
            if round.isMultiple(of: 4) { try await fleet.startTree(seed: UInt64(lane * 1000 + round)) }
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...400, using: &generator)))
            let victim = Int.random(in: 0...1, using: &generator)
            workers[victim].kill()
            workers[victim] = try fleet.startWorker()
        }
        #expect(try await fleet.violations(exactlyOnce: false) == [], "lane \(lane)")
        for worker in workers { worker.kill() }
    }

    /// The worker dies at every step of what a workflow commits: before a commit is sent, and after it was done and
    /// before the worker hears of it.
    @Test(arguments: ["before", "after"])
    func workersDieAtEveryStepOfASettlement(moment: String) async throws {
        try await withRedisServer { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<3 {
                    group.addTask {
                        let fleet = try WorkflowFleet(server, namespace: "lane\(lane)", heartbeat: .milliseconds(250))
                        for step in 1...10 {
                            try await fleet.startTree(seed: UInt64(lane * 100 + step))
                            let worker = try fleet.startWorker(concurrency: 2, die: "\(moment):\(step * 3 - lane)")
                            let deadline = ContinuousClock.now + .seconds(1)
                            while worker.isRunning, ContinuousClock.now < deadline {
                                try await Task.sleep(for: .milliseconds(5))
                            }
                            worker.kill()
                        }
                        let worker = try fleet.startWorker()
                        #expect(try await fleet.violations(exactlyOnce: false) == [], "lane \(lane)")
                        worker.kill()
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func theServerIsKilledAndStartedAgain() async throws {
        try await withRedisServer(.appendOnly) { server in
            var generator = SeededGenerator(seed: 5)
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(500))
            let workers = [try fleet.startWorker(), try fleet.startWorker()]
            for round in 0..<12 {
                for tree in 0..<3 { try await fleet.startTree(seed: UInt64(round * 10 + tree)) }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...150, using: &generator)))
                try await server.restart()
            }
            #expect(try await fleet.violations(exactlyOnce: false) == [])
            #expect(workers.allSatisfy { $0.isRunning })
            for worker in workers { worker.kill() }
        }
    }

    @Test func connectionsAreCut() async throws {
        try await withRedisServer { server in
            var generator = SeededGenerator(seed: 6)
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(2))
            let workers = [try fleet.startWorker(), try fleet.startWorker()]
            let knife = try RedisClient(url: server.url)
            for round in 0..<40 {
                if round.isMultiple(of: 4) { try await fleet.startTree(seed: UInt64(round)) }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...60, using: &generator)))
                _ = try await knife.execute(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
            }
            let violations = try await fleet.violations(exactlyOnce: true)
            #expect(violations == [])
            #expect(workers.allSatisfy { $0.isRunning })
            for worker in workers { worker.kill() }
        }
    }

    /// A worker stands still for longer than its lease, and comes back to messages that others have by now.
    @Test func aWorkerThatStoodStillDoesNothingTwice() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            let frozen = try fleet.startWorker()
            for seed in UInt64(1)...12 { try await fleet.startTree(seed: seed) }
            try await eventually { try await !TaskEvents(fleet.redis, namespace: "dramatiq").lives.isEmpty }
            frozen.suspend()
            let other = try fleet.startWorker()
            #expect(try await fleet.violations(exactlyOnce: false) == [])
            frozen.resume()
            for seed in UInt64(13)...20 { try await fleet.startTree(seed: seed) }
            #expect(try await fleet.violations(exactlyOnce: false) == [])
            #expect(frozen.isRunning)
            frozen.kill()
            other.kill()
        }
    }

    /// Tasks that take several times the lease and keep all threads of the pool busy are not delivered again, although
    /// another worker looks for dead ones all the time.
    @Test func aBusyWorkerIsNotTakenForDead() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(600))
            let busy = try fleet.startWorker(concurrency: 8)
            let other = try fleet.startWorker(queues: "other")
            let count = 2 * ProcessInfo.processInfo.activeProcessorCount
            try await fleet.broker.enqueue(
                (0..<count).map {
                    Message(queueName: "default", actorName: "task", args: [0, .integer($0), 0, -2000])
                })
            try await fleet.transport.join(timeout: .seconds(100))
            let violations = try await fleet.violations(exactlyOnce: true)
            #expect(violations == [])
            let events = try await TaskEvents(fleet.redis, namespace: "dramatiq")
            #expect(events.lives[0]?.count == count)
            #expect(events.repetitions == 0)
            busy.kill()
            other.kill()
        }
    }
}
