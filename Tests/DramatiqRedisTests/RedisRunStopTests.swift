import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Runs that are cancelled, paused and resumed while several processes work on them.
@Suite(.timeLimit(.minutes(20))) struct RedisRunStopTests {
    private struct Event: Hashable {
        let task: Int
        let isStart: Bool
        /// Milliseconds since 1970.
        let time: Int
    }

    private static func events(_ fleet: WorkflowFleet) async throws -> [Event] {
        try await fleet.redis.execute(
            RedisCommand("LRANGE", TaskEvents.key(namespace: fleet.namespace), 0, -1)
        ).array().map { line in
            let parts = try line.string().split(separator: " ")
            return Event(task: Int(parts[2]) ?? -1, isStart: parts[0] == "start", time: Int(parts[4]) ?? 0)
        }
    }

    private static var now: Int { Int(Date().timeIntervalSince1970 * 1000) }

    /// A group of tasks that are numbered, and one more after it.
    private static func workflow(_ count: Int, milliseconds: Int, on fleet: WorkflowFleet) -> Workflow {
        func task(_ number: Int) -> Message {
            Message(
                queueName: "default", actorName: "task",
                args: [0, .integer(number), 0, .integer(milliseconds)])
        }
        return Workflow(
            Chain(Group(children: (0..<count).map { .message(task($0)) }), task(count)), broker: fleet.broker)
    }

    /// No task starts after the call has returned, whatever worker has it, and all that were sent are counted.
    @Test func nothingStartsOnceARunIsCancelled() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            let workers = try (0..<4).map { _ in try fleet.startWorker(concurrency: 8) }
            let count = 10_000
            let run = try await Self.workflow(count, milliseconds: 2, on: fleet).run()
            try await eventually { try await Self.events(fleet).count > 500 }
            let stop = try await run.cancel(timeout: .patience)
            let moment = Self.now
            #expect(stop == RunStop(state: .cancelled, unconfirmedWorkers: []))
            try await eventually { try await run.status(listing: 0).total.inFlight == 0 }
            try await fleet.transport.join(timeout: .patience)
            let total = try await run.status().total
            #expect(total.sent == count && total.succeeded + total.skipped == count && total.failed == 0)
            #expect(total.skipped > 0)
            let events = try await Self.events(fleet)
            #expect(events.filter { $0.isStart && $0.time > moment } == [])
            #expect(!events.contains { $0.task == count })
            #expect(try await fleet.transport.deadLetters().isEmpty)
            for worker in workers {
                #expect(worker.isRunning)
                worker.kill()
            }
        }
    }

    /// Nothing starts while it is paused; afterwards each task runs once.
    @Test func nothingStartsWhileARunIsPaused() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            let workers = try (0..<4).map { _ in try fleet.startWorker(concurrency: 8) }
            let count = 3000
            let run = try await Self.workflow(count, milliseconds: 25, on: fleet).run()
            var pauses: [ClosedRange<Int>] = []
            for round in 1...3 {
                try await eventually { try await Self.events(fleet).count > 300 * round }
                #expect(try await run.pause(timeout: .patience) == RunStop(state: .paused, unconfirmedWorkers: []))
                let start = Self.now
                try await fleet.transport.join(timeout: .patience)
                pauses.append(start...Self.now)
                let total = try await run.status(listing: 0).total
                #expect(total.held > 0 && total.inFlight == 0 && total.succeeded + total.held == total.sent)
                #expect(try await run.resume() == total.held)
            }
            #expect(try await run.wait(timeout: .patience).run.state == .succeeded)
            let events = try await Self.events(fleet)
            for pause in pauses {
                // A start that is noted in the millisecond of the return may be one from before.
                #expect(events.filter { $0.isStart && $0.time > pause.lowerBound && $0.time < pause.upperBound } == [])
            }
            let starts = events.filter(\.isStart).map(\.task)
            #expect(starts.count == count + 1 && Set(starts).count == count + 1)
            #expect(events.last == events.last { $0.task == count })
            for worker in workers {
                #expect(worker.isRunning)
                worker.kill()
            }
        }
    }

    /// Workers are killed while random workflows are paused and go on: no task is missing, none comes too early.
    @Test func workersAreKilledWhileRunsArePausedAndGoOn() async throws {
        try await withRedisServer { server in
            let seed = TestSeed(14)
            var generator = seed.generator
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            var workers = [try fleet.startWorker(), try fleet.startWorker()]
            var runs: [WorkflowRun] = []
            for round in 0..<40 {
                if round.isMultiple(of: 4) {
                    let tree = fleet.makeTree(seed: TestSeed(1400 + round)).tree
                    runs.append(try await Workflow(tree.root, broker: fleet.broker).run())
                }
                let run = try #require(runs.randomElement(using: &generator))
                // Those who are killed don't confirm.
                try await run.pause(timeout: .zero)
                try await fleet.progress(by: Int.random(in: 1...10, using: &generator))
                let victim = Int.random(in: 0...1, using: &generator)
                workers[victim].kill()
                workers[victim] = try fleet.startWorker()
                if Bool.random(using: &generator) { try await run.resume() }
            }
            for run in runs { try await run.resume() }
            let violations = try await fleet.violations(exactlyOnce: false, pausing: true)
            #expect(violations == [], "\(seed)")
            for worker in workers { worker.kill() }
        }
    }

    /// Half of a group fails on four workers, which are killed meanwhile. When the run is retried, that half runs again, the
    /// other one doesn't, and the rest follows.
    @Test func halfOfAGroupFailsAndIsRetried() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            var workers = try (0..<4).map { _ in try fleet.startWorker(concurrency: 4) }
            let count = 1000
            func task(_ number: Int) -> Message {
                let failures = number.isMultiple(of: 2) ? 0 : WorkflowFleet.untilMended
                return Message(
                    queueName: "default", actorName: "task",
                    args: [0, .integer(number), .integer(failures), 0], options: ["max_retries": 0])
            }
            let run = try await Workflow(
                Chain(Group(children: (0..<count).map { .message(task($0)) }), task(count)), broker: fleet.broker
            ).run()
            for victim in 0..<4 {
                try await fleet.progress(by: 5)
                workers[victim].kill()
                workers[victim] = try fleet.startWorker(concurrency: 4)
            }
            try await eventually { try await run.status(listing: 0).total.inFlight == 0 }
            let failed = try await run.status()
            #expect(failed.run.state == .failed && failed.failureCount > 0)
            #expect(failed.total.succeeded + failed.total.failed + failed.total.held == count)
            let before = try await TaskEvents(fleet.redis, namespace: "dramatiq").lives[0] ?? [:]
            // Too early: it fails once more.
            try await run.retryFailed()
            try await eventually {
                let status = try await run.status(listing: 0)
                return status.run.state == .failed && status.total.inFlight == 0
            }
            try await fleet.mend()
            try await eventually {
                try await run.retryFailed(perSecond: 5000)
                return try await run.status(listing: 0).run.state == .succeeded
            }
            let total = try await run.status().total
            #expect(total.succeeded == count + 1 && total.failed == 0 && total.held == 0)
            let lives = try await TaskEvents(fleet.redis, namespace: "dramatiq").lives[0] ?? [:]
            #expect(lives.count == count + 1 && lives.values.allSatisfy { $0.ends > 0 })
            // Whoever had ended didn't run again, unless its worker was killed before that was known.
            let again = before.filter { $0.value.ends > 0 && (lives[$0.key]?.starts ?? 0) > $0.value.starts }
            #expect(again.count <= 4 * 4, "\(again.keys.sorted())")
            #expect(try await fleet.transport.deadLetters().isEmpty)
            for worker in workers { worker.kill() }
        }
    }

    /// One that stands still is named, and drops what it has once it goes on.
    @Test func aWorkerThatDoesNotConfirmIsNamed() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            let worker = try fleet.startWorker(concurrency: 1)
            // It has the others in its hands.
            let run = try await Self.workflow(2, milliseconds: 300, on: fleet).run()
            try await eventually { try await !Self.events(fleet).isEmpty }
            worker.suspend()
            let stop = try await run.cancel(timeout: .milliseconds(300))
            #expect(stop.state == .cancelled && stop.unconfirmedWorkers.count == 1)
            worker.resume()
            #expect(try await run.cancel(timeout: .patience).unconfirmedWorkers == [])
            try await eventually { try await run.status(listing: 0).total.inFlight == 0 }
            #expect(worker.isRunning)
            worker.kill()
        }
    }

    /// A worker that ends says so, and who stops a run doesn't wait for it.
    @Test func aWorkerThatHasEndedIsNotWaitedFor() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await withWorker(stage.worker) {
                try await eventually {
                    try await stage.backend.versions(index: "dramatiq:__runs__").count == 1
                }
            }
            #expect(try await stage.backend.versions(index: "dramatiq:__runs__").isEmpty)
            await stage.redis.shutDown()
        }
    }

    /// What is delayed by an hour is waited for by what says that its run is stopped, and by nothing else.
    @Test func aRunIsKnownToBeStoppedForAsLongAsItsMessagesMayCome() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, tracking: .enabled(retention: .seconds(1)))
            let m = stage.task.message
            let run = try await Workflow(
                Group(m("a"), WithDelay(.seconds(3600 * 24 * 30)) { m("b") }), broker: stage.broker
            ).run()
            try await run.cancel()
            let score = try await stage.redis.execute(
                RedisCommand("ZSCORE", "dramatiq:__runs__.stopped.runs", "cancelled \(run.id)")
            ).double()
            #expect(score / 1000 > Date().timeIntervalSince1970 + 3600 * 24 * 30)
            let ttl = try await stage.redis.execute(RedisCommand("PTTL", "dramatiq:__runs__.stopped.runs")).integer()
            #expect(ttl > 3600 * 24 * 30 * 1000)
            // Its record is gone soon, and nothing of it runs all the same.
            try await eventually {
                do { _ = try await run.status() } catch is WorkflowError { return true }
                return false
            }
            try await withWorker(stage.worker) {
                try await eventually { try await stage.transport.unfinishedCount() == 1 }
            }
            #expect(stage.ran.values.isEmpty)
            await stage.redis.shutDown()
        }
    }

    /// Workers of another namespace would not hear of it, so that is refused instead of done by half.
    @Test func aRunIsStoppedInItsOwnNamespaceOnly() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, namespace: "one")
            let other = try await RedisStage(server, namespace: "two")
            let run = try await Workflow(stage.task.message("a"), broker: stage.broker).run()
            let error = try await #require(throws: WorkflowError.self) {
                try await WorkflowRun(id: run.id, broker: other.broker).cancel()
            }
            #expect(error.code == .runUnknown && error.description.contains("namespace"))
            #expect(try await run.status().run.state == .running)
            #expect(try await run.cancel().state == .cancelled)
            await stage.redis.shutDown()
            await other.redis.shutDown()
        }
    }

    /// What a run has put aside is forgotten with it, and takes its memory no longer than that.
    @Test func whatWasPutAsideLivesAsLongAsItsRun() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let run = try await Workflow(stage.task.message("a"), broker: stage.broker).run()
            try await run.pause()
            try await withWorker(stage.worker) {
                try await eventually { try await run.status().total.held == 1 }
            }
            let held = try await stage.redis.execute(RedisCommand("PTTL", "\(run.id)_held")).integer()
            let state = try await stage.redis.execute(RedisCommand("PTTL", "\(run.id)_state")).integer()
            let week = 7 * 86_400_000
            #expect(held > week && state > week)
            try await run.cancel()
            #expect(try await stage.redis.execute(RedisCommand("EXISTS", "\(run.id)_held")).integer() == 0)
            await stage.redis.shutDown()
        }
    }
}
