#if Plugins
    import Dramatiq
    import DramatiqLZ4
    import DramatiqRedis
    import DramatiqWorkflow
    import RedisTestSupport
    import Synchronization
    import TestSupport
    import Testing

    @Suite(.timeLimit(.minutes(10))) struct RunsCommandTests {
        struct Failure: Error {}

        /// The tool has to read another format than its own.
        private func broker(_ redis: RedisClient) -> Broker {
            Broker(
                transport: RedisTransport(redis), encoder: LZ4MessageEncoder(),
                middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: RedisRateLimiterBackend(redis))],
                logger: RecordingLog().logger)
        }

        /// A server with a run that has ended and one with a task that has failed.
        private func withRuns(_ body: (RedisServer, [WorkflowRun]) async throws -> Void) async throws {
            try await withRedisServer { server in
                let redis = try RedisClient(url: server.url)
                let broker = broker(redis)
                let task = TaskActor("task") { (_: Int) in }
                let fails = TaskActor("fails", options: [.maxRetries(0)]) { throw Failure() }
                try await broker.declare(task, fails)
                try await Worker(broker).run {
                    let done = try await Workflow(
                        task.message(1), task.message(2), name: "al\u{1B}[2Jbum",
                        labels: ["customer": "42", "a": "b=c"], broker: broker
                    ).run()
                    try await done.wait(timeout: .patience)
                    let stuck = try await Workflow(
                        Group(task.message(3), fails.message()), task.message(4), labels: ["customer": "43"],
                        failurePolicy: .halt, broker: broker
                    ).run()
                    try await eventually { try await stuck.status().total.inFlight == 0 }
                    try await body(server, [done, stuck])
                }
                await redis.shutDown()
            }
        }

        private func run(_ server: RedisServer, _ arguments: String...) async throws -> Tool.Result {
            try await Tool.run(["runs"] + arguments + ["--redis", server.url])
        }

        private func objects(_ result: Tool.Result) throws -> [JSONObject] {
            try result.output.split(separator: "\n").map {
                try #require(try JSONValue(parsing: String($0)).objectValue)
            }
        }

        @Test func runsAreListed() async throws {
            try await withRuns { server, runs in
                let text = try await run(server)
                #expect(text.status == 0)
                #expect(!text.output.contains("\u{1B}"))
                let lines = text.output.split(separator: "\n")
                #expect(lines.count == 3)
                #expect(lines[1].hasPrefix(runs[1].id) && lines[2].hasPrefix(runs[0].id))
                #expect(lines[1].contains("running") && lines[2].contains("succeeded"))
                #expect(lines[2].contains(#"al\u{1B}[2Jbum"#) && lines[2].contains("a=b=c customer=42"))
                for (arguments, ids) in [
                    (["--json"], [1, 0]), (["--state", "running", "--json"], [1]), (["--state", "none", "--json"], []),
                    (["--label", "customer=42", "--json"], [0]),
                    (["--label", "customer=42", "--label", "a=b=c", "--json"], [0]),
                    (["--label", "customer=42", "--label", "a=b", "--json"], []),
                    (["--name", "al\u{1B}[2Jbum", "--json"], [0]), (["--limit", "1", "--json"], [1]),
                ] as [([String], [Int])] {
                    let found = try await Tool.run(["runs", "list"] + arguments + ["--redis", server.url])
                    #expect(found.status == 0)
                    let listed = try objects(found).map { $0["run"]?.stringValue }
                    #expect(listed == ids.map { runs[$0].id }, "\(arguments)")
                }
                let limited = try await run(server, "--limit", "1")
                #expect(limited.output.contains("the latest 1 are listed"))
                let none = try await run(server, "--name", "nothing")
                #expect(none.output == "There are no such runs.\n")
                let wrong = try await run(server, "--label", "customer")
                #expect(wrong.status != 0 && wrong.error.contains("key=value"))
            }
        }

        /// A server with runs that nobody works on.
        private func withWaitingRuns(
            _ count: Int, _ body: (RedisServer, Broker, [WorkflowRun]) async throws -> Void
        ) async throws {
            try await withRedisServer { server in
                let redis = try RedisClient(url: server.url)
                let broker = broker(redis)
                let task = TaskActor("task") { (_: Int) in }
                try await broker.declare(task)
                var runs: [WorkflowRun] = []
                for number in 0..<count {
                    let workflow = Workflow(
                        task.message(number), task.message(number), labels: ["number": "\(number)"], broker: broker)
                    runs.append(try await workflow.run())
                }
                try await body(server, broker, runs)
                await redis.shutDown()
            }
        }

        @Test func runsArePausedAndGoOn() async throws {
            try await withWaitingRuns(3) { server, broker, runs in
                let ids = runs.map(\.id)
                let paused = try await run(server, "pause", ids[0], ids[1], "no\u{1B}ne", ids[0])
                #expect(paused.status == 1)
                #expect(paused.output == "\(ids[0]) is paused\n\(ids[1]) is paused\n")
                #expect(paused.error.contains("Nothing is known of the run") && !paused.error.contains("\u{1B}"))
                let listed = try objects(try await run(server, "list", "--state", "paused", "--json"))
                #expect(Set(listed.map { $0["run"]?.stringValue }) == Set(ids[..<2]))
                try await Worker(broker).run {
                    try await runs[2].wait(timeout: .patience)
                    try await eventually { try await runs[1].status().total.held == 1 }
                    try await eventually { try await runs[0].status().total.held == 1 }
                    let late = try await run(server, "pause", ids[2])
                    #expect(late.status == 1 && late.error.contains("succeeded"))
                    let resumed = try await run(server, "resume", "--all", "--label", "number=0", "--json")
                    #expect(resumed.status == 0)
                    #expect(resumed.output == "{\"run\":\"\(ids[0])\",\"returned\":1}\n")
                    try await runs[0].wait(timeout: .patience)
                    #expect(try await runs[1].status().run.state == .paused)
                    let last = try await run(server, "resume", ids[1], "--rate", "1000")
                    #expect(last.output == "\(ids[1]) goes on; 1 message went back to its queue\n")
                    try await runs[1].wait(timeout: .patience)
                }
                for arguments in [
                    ["resume"], ["resume", ids[0], "--all"], ["resume", ids[0], "--rate", "0"], ["pause"],
                ] {
                    #expect(try await Tool.run(["runs"] + arguments + ["--redis", server.url]).status == 64)
                }
            }
        }

        @Test func runsAreRetriedThatHaveFailed() async throws {
            try await withRedisServer { server in
                let redis = try RedisClient(url: server.url)
                let broker = broker(redis)
                let isMended = Atomic(false)
                let fails = TaskActor("fails", options: [.maxRetries(0)]) {
                    if !isMended.load(ordering: .acquiring) { throw Failure() }
                }
                try await broker.declare(fails)
                var runs: [WorkflowRun] = []
                for _ in 0..<2 {
                    runs.append(try await Workflow(fails.message(), fails.message(), broker: broker).run())
                }
                try await Worker(broker).run {
                    for run in runs { try await eventually { try await run.status().run.state == .failed } }
                    let text = try await run(server, "list", "--state", "failed")
                    #expect(text.output.split(separator: "\n").count == 3)
                    isMended.store(true, ordering: .releasing)
                    let one = try await run(server, "retry", runs[0].id)
                    #expect(one.status == 0)
                    #expect(one.output == "\(runs[0].id) goes on; 1 message went back to its queue\n")
                    let all = try await run(server, "retry", "--all", "--json")
                    #expect(all.output == "{\"run\":\"\(runs[1].id)\",\"returned\":1}\n")
                    for run in runs { try await run.wait(timeout: .patience) }
                    let late = try await run(server, "retry", runs[0].id)
                    #expect(late.status == 1 && late.error.contains("succeeded"))
                }
                #expect(try await broker.transport.operations?.deadLetterCount(queue: "default") == 0)
                await redis.shutDown()
            }
        }

        @Test func runsAreCancelledAfterAQuestion() async throws {
            try await withWaitingRuns(2) { server, broker, runs in
                for answer in ["", "n\n", "\n"] {
                    let no = try await Tool.run(
                        ["runs", "cancel", runs[0].id, runs[1].id, "--redis", server.url], input: Array(answer.utf8))
                    #expect(no.status == 1 && no.error.contains("Cancel 2 runs for good?"))
                }
                #expect(try await runs[0].status().run.state == .running)
                let yes = try await Tool.run(
                    ["runs", "cancel", runs[0].id, "--redis", server.url], input: Array("y\n".utf8))
                #expect(yes.status == 0 && yes.output == "\(runs[0].id) is cancelled\n")
                let json = try await run(server, "cancel", runs[0].id, runs[1].id, "--yes", "--json")
                #expect(json.status == 0)
                #expect(
                    json.output
                        == runs.map {
                            "{\"run\":\"\($0.id)\",\"state\":\"cancelled\",\"unconfirmed_workers\":[]}\n"
                        }.joined())
                try await Worker(broker).run {
                    for run in runs {
                        try await eventually { try await run.status().total.skipped == 1 }
                        #expect(try await run.status().total.inFlight == 0)
                    }
                }
            }
        }

        @Test func aRunIsShown() async throws {
            try await withRuns { server, runs in
                let text = try await run(server, "show", runs[1].id)
                #expect(text.status == 0)
                let lines = text.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
                #expect(lines.contains(["state", "running"]))
                #expect(lines.contains(["task", "2", "1", "0", "1", "0", "0", "0"]))
                #expect(lines.contains(["fails", "1", "0", "0", "0", "1", "0", "0"]))
                #expect(text.output.contains("WAITS AT") && text.output.contains("Failure()"))
                let drawing = [
                    "chain        1 failed, 1 of 3 done", "├─ group     1 failed, 1 of 2 done", "│  ├─ task   done",
                    "│  └─ fails  1 failed, 0 of 1 done", "└─ task      not begun",
                ]
                #expect(text.output.contains(drawing.joined(separator: "\n")), "\(text.output)")
                let object = try #require(try objects(try await run(server, "show", runs[1].id, "--json")).first)
                let nodes = try #require(object["diagram"]?.arrayValue).elements.compactMap(\.objectValue)
                #expect(
                    nodes.map { $0["state"]?.stringValue } == ["failed", "failed", "done", "failed", "not_begun"])
                #expect(nodes.map { $0["depth"]?.intValue } == [0, 1, 2, 2, 1])
                #expect(nodes[3]["actor"] == "fails" && nodes[3]["counts"]?.objectValue?["failed"] == 1)
                #expect(object["state"] == "running" && object["ended_ms"] == .null)
                #expect(object["actors"]?.objectValue?["fails"]?.objectValue?["failed"] == 1)
                #expect(object["open_barriers"] == 1)
                let barriers = try #require(object["waits_for"]?.arrayValue).elements
                #expect(barriers.map { $0.objectValue?["missing"] } == [1])
                let failed = try #require(object["failed"]?.arrayValue?.elements.first?.objectValue)
                #expect(failed["actor"] == "fails" && failed["attempt"] == 1)
                #expect(failed["reason"]?.stringValue?.contains("Failure()") == true)
                let ended = try #require(try objects(try await run(server, "show", runs[0].id, "--json")).first)
                #expect(ended["state"] == "succeeded" && ended["open_barriers"] == 0)
                let unknown = try await run(server, "show", "no\u{1B}ne")
                #expect(unknown.status != 0 && unknown.error.contains("Nothing is known of the run"))
                #expect(!unknown.error.contains("\u{1B}"))
            }
        }
    }
#endif
