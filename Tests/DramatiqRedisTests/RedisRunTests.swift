import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// What Redis keeps of runs of workflows.
@Suite(.timeLimit(.minutes(10))) struct RedisRunTests {
    /// The keys that are there, sorted.
    private func keys(_ redis: RedisClient) async throws -> [String] {
        try await redis.execute(RedisCommand("KEYS", "*")).array().map { try $0.string() }.sorted()
    }

    /// How many bytes keys take.
    private func memory(_ redis: RedisClient, _ keys: some Sequence<String>) async throws -> Int {
        var sum = 0
        for key in keys { sum += try await redis.execute(RedisCommand("MEMORY", "USAGE", key)).integer() }
        return sum
    }

    private func withStage(
        retention: Duration = RunTracking.defaultRetention,
        _ body: (RedisStage) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, tracking: .enabled(retention: retention))
            try await body(stage)
            await stage.redis.shutDown()
        }
    }

    @Test func aRunThatHasEndedTakesLittleAndIsGoneAfterItsRetention() async throws {
        try await withStage(retention: .seconds(1)) { stage in
            let m = stage.task.message
            var runs: [WorkflowRun] = []
            try await withWorker(stage.worker) {
                for number in 0..<20 {
                    let workflow = Workflow(
                        Chain(m("a"), Group(m("b"), m("c")), m("d")), name: "album",
                        labels: ["customer": "\(number)", "kind": "test"], broker: stage.broker)
                    runs.append(try await workflow.run())
                }
                for run in runs { try await run.wait(timeout: .patience) }
                try await stage.transport.join()
            }
            // The lists of those that have ended, of a name, of one label and of twenty others.
            let lists = try await keys(stage.redis).filter { $0.hasPrefix("dramatiq:__runs__") }
            #expect(lists.count == 3 + 20)
            let own = try await keys(stage.redis).filter { $0.contains(":run_") }
            // How a barrier was released is known for a quarter of an hour, as of any other.
            let kept = own.filter { !$0.hasSuffix("_ran") && !$0.hasSuffix(":run") }
            #expect(kept.sorted() == runs.map { "\($0.id)_state" }.sorted())
            let (records, listed) = (try await memory(stage.redis, kept), try await memory(stage.redis, lists))
            #expect((records + listed) / runs.count < 1024, "\(records) bytes of runs, \(listed) of lists")
            // Whoever asks next finds them gone.
            try await eventually {
                for try await _ in stage.broker.workflowRuns() { return false }
                return true
            }
            for run in runs {
                await #expect(throws: WorkflowError.self) { try await run.status() }
            }
            let left = try await keys(stage.redis)
            #expect(left.filter { $0.hasPrefix("dramatiq:__runs__") || $0.hasSuffix("_state") } == [])
        }
    }

    /// Python counts at the run's barrier, and knows nothing of what else is kept.
    @Test(arguments: [true, false]) func anEndThatPythonHasBroughtIsSeen(byListing: Bool) async throws {
        try await withStage { stage in
            let run = try await Workflow(stage.task.message("a"), broker: stage.broker).run()
            #expect(try await run.status().run.state == .running)
            _ = try await stage.redis.execute(RedisCommand("SET", "\(run.id)_ran", 0, "PX", 900_000))
            if byListing {
                var states: [RunState] = []
                for try await run in stage.broker.workflowRuns() { states.append(run.state) }
                #expect(states == [.succeeded])
                for try await _ in stage.broker.workflowRuns(state: .running) { Issue.record("It runs") }
            }
            let status = try await run.wait(timeout: .patience)
            #expect(status.run.state == .succeeded && status.run.ended != nil)
            #expect(status.total.succeeded == 0 && status.total.sent == 1)
            for try await _ in stage.broker.workflowRuns(state: .running) { Issue.record("It runs") }
            // As does one whose release Redis has forgotten by now.
            _ = try await stage.redis.execute(RedisCommand("UNLINK", "\(run.id)_ran", run.id))
            #expect(try await run.status().run.state == .succeeded)
        }
    }

    /// So is one that was paused, or had failed when a worker of Python took its dead letter.
    @Test(arguments: [RunState.paused, .failed]) func anEndThatPythonHasBroughtToAStoppedRunIsSeen(
        state: RunState
    ) async throws {
        struct Failure: Error {}
        try await withStage { stage in
            let fails = TaskActor("fails", options: [.maxRetries(0)]) { throw Failure() }
            try await stage.broker.declare(fails)
            let run = try await Workflow(fails.message(), broker: stage.broker).run()
            if state == .paused {
                try await run.pause()
            } else {
                try await withWorker(stage.worker) {
                    try await eventually { try await run.status().run.state == .failed }
                }
            }
            #expect(try await run.status().run.state == state)
            _ = try await stage.redis.execute(RedisCommand("SET", "\(run.id)_ran", 0, "PX", 900_000))
            #expect(try await run.wait(timeout: .patience).run.state == .succeeded)
            for other in [RunState.paused, .failed, .running] {
                for try await _ in stage.broker.workflowRuns(state: other) { Issue.record("It is \(other)") }
            }
            let stopped = try await stage.redis.execute(
                RedisCommand("ZCARD", "dramatiq:__runs__.stopped.runs")
            ).integer()
            #expect(stopped == 0)
            // What has expired tells nothing about a run that stands still.
            let other = try await Workflow(stage.task.message("b"), broker: stage.broker).run()
            try await other.pause()
            _ = try await stage.redis.execute(RedisCommand("UNLINK", "\(other.id)_ran"))
            #expect(try await other.status().run.state == .paused)
        }
    }

    /// Whatever else stands in the keys of a run or of a list: nothing is changed but what is ours, and no task is lost.
    @Test(
        arguments: ["_state", "_open", "_failures"],
        [["SET", "v"], ["RPUSH", "v"], ["SADD", "v"], ["HSET", "v", "w"]])
    func foreignKeysAreLeftAlone(suffix: String, command: [String]) async throws {
        try await withStage { stage in
            let m = stage.task.message
            let run = try await Workflow(Chain(m("a"), m("b")), broker: stage.broker).run()
            let key = run.id + suffix
            _ = try await stage.redis.execute(RedisCommand("UNLINK", key))
            _ = try await stage.redis.execute(RedisCommand(command[0], key, list: command.dropFirst()))
            try await withWorker(stage.worker) {
                try await eventually {
                    let letters = try await stage.transport.deadLetters()
                    return stage.ran.count == 2 || !letters.isEmpty
                }
                try await stage.transport.join()
            }
            // A type that fits is taken for ours; another one is an error that keeps the message.
            let letters = try await stage.transport.deadLetters()
            #expect(letters.allSatisfy { $0.reason.contains("WRONGTYPE") }, "\(letters.map(\.reason))")
            #expect(stage.ran.count == (letters.isEmpty ? 2 : 1))
        }
    }

    /// An id comes out of a message, and may name a key of another application's.
    @Test func aHashThatIsNoRunStaysAsItIs() async throws {
        try await withStage { stage in
            let m = stage.task.message
            let run = try await Workflow(Chain(m("a"), Group(m("b"), m("c"))), broker: stage.broker).run()
            let key = "\(run.id)_state"
            _ = try await stage.redis.execute(RedisCommand("UNLINK", key))
            _ = try await stage.redis.execute(RedisCommand("HSET", key, "state", "running", "failed", "1"))
            try await withWorker(stage.worker) { try await stage.transport.join() }
            #expect(stage.ran.count == 3)
            let fields = try await stage.redis.execute(RedisCommand("HGETALL", key)).pairs()
            #expect(fields.count == 2)
            await #expect(throws: WorkflowError.self) { try await run.status() }
        }
    }

    @Test func aListOfAnotherTypeKeepsNoWorkflowFromRunning() async throws {
        try await withStage { stage in
            for list in ["", ".running", ".succeeded"] {
                _ = try await stage.redis.execute(RedisCommand("SET", "dramatiq:__runs__\(list)", "v"))
            }
            let m = stage.task.message
            try await withWorker(stage.worker) {
                let run = try await Workflow(Chain(m("a"), m("b")), broker: stage.broker).run()
                #expect(try await run.wait(timeout: .patience).total.succeeded == 2)
            }
            await #expect(throws: RedisError.self) { for try await _ in stage.broker.workflowRuns() {} }
        }
    }

    /// Many actors are counted apart, and more of them together.
    @Test func aRunOfManyActorsStaysSmall() async throws {
        try await withStage { stage in
            let members = (0..<1000).map { number in
                WorkflowNode.message(
                    Message(queueName: "elsewhere", actorName: "actor \(number)", args: []))
            }
            let run = try await Workflow(Group(children: members), broker: stage.broker).run()
            let status = try await run.status()
            #expect(status.tasks.count == RunLimits.maxActors + 1)
            #expect(status.total.total == 1000 && status.total.sent == 1000)
            let others = try #require(status.tasks[""])
            #expect(others == RunTaskCounts(total: 900, sent: 900))
        }
    }

    @Test func namesAndLabelsHaveBounds() async throws {
        try await withStage { stage in
            let long = String(repeating: "x", count: RunLimits.maxNameLength + 1)
            let many = Dictionary(uniqueKeysWithValues: (0...RunLimits.maxLabels).map { ("\($0)", "") })
            let cases: [(String, [String: String])] = [
                (long, [:]), ("", [long: ""]), ("", ["a": long]), ("", ["": "a"]), ("", ["a=b": "c"]), ("", many),
                ("a\u{1F}", [:]), ("", ["a\u{1F}": ""]), ("", ["a": "\u{1F}"]),
            ]
            for (name, labels) in cases {
                let error = await #expect(throws: WorkflowError.self) {
                    try await Workflow(stage.task.message("a"), name: name, labels: labels, broker: stage.broker).run()
                }
                #expect(error?.code == .invalidLabels)
            }
            let count = try await stage.transport.unfinishedCount()
            #expect(count == 0)
        }
    }
}
