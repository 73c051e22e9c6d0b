import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// Results that one language keeps and the other one reads, over Redis.
@Suite(.timeLimit(.minutes(10))) struct ResultInteropTests {
    private struct Failure: Error, CustomStringConvertible {
        let description = "It broke: ü"
    }

    private static let values: [JSONValue] = [
        nil, true, 0, -1.5, "", "é\u{1F600}\u{0}\"\\", [], [[nil]], [:], ["a": ["b": 1]], ["__t": "else"],
        .integer(.max),
    ]

    private func message(_ number: Int, queue: String = "default") -> Message {
        Message(queueName: queue, actorName: "actor_\(number)", args: [.integer(number)])
    }

    /// A broker on a server, which keeps and reads results.
    private func withBroker(
        _ keys: RedisResultBackend.KeyStyle = .hashed,
        _ body: (RedisServer, Broker, Results) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            let results = Results(backend: RedisResultBackend(redis, keys: keys), storesResults: true)
            let broker = Broker(
                transport: RedisTransport(redis), middleware: Broker.defaultMiddleware + [results],
                logger: RecordingLog().logger)
            try await body(server, broker, results)
            await redis.shutDown()
        }
    }

    @Test(arguments: [("hashed", RedisResultBackend.KeyStyle.hashed), ("readable", .readable)])
    func whatPythonKeepsIsRead(name: String, keys: RedisResultBackend.KeyStyle) async throws {
        try await withBroker(keys) { server, broker, _ in
            let messages = Self.values.indices.map { message($0, queue: $0 == 1 ? "default.DQ" : "default") }
            let failed = message(1000)
            let lines = zip(messages, Self.values).map { JSONValue.array([$0.jsonValue, $1]) }
            let failure: JSONValue = [failed.jsonValue, "ValueError", "no \u{1B} value"]
            _ = try await PythonPeer.run(
                ["results", server.url, name], input: (lines + [failure]).map { $0.encoded() })
            for (message, value) in zip(messages, Self.values) {
                #expect(try await message.result(JSONValue.self, from: broker) == value)
            }
            let error = await #expect(throws: ResultError.self) { try await failed.result(Int.self, from: broker) }
            #expect(error?.code == .failed && error?.errorType == "ValueError")
            #expect(error?.reason.hasPrefix("no ") == true && error?.reason.contains("\u{1B}") == false)
        }
    }

    @Test(arguments: [("hashed", RedisResultBackend.KeyStyle.hashed), ("readable", .readable)])
    func pythonReadsWhatIsKept(name: String, keys: RedisResultBackend.KeyStyle) async throws {
        try await withBroker(keys) { server, broker, _ in
            let echo = TaskActor("echo") { (value: JSONValue) in value }
            let fails = TaskActor("fails", options: [.maxRetries(0)]) { throw Failure() }
            try await broker.declare(echo, fails)
            let messages = Self.values.map { echo.message($0) } + [fails.message()]
            try await withWorker(Worker(broker)) {
                // Python waits while they run.
                async let lines = PythonPeer.run(
                    ["await", server.url, name], input: messages.map { $0.jsonValue.encoded() })
                try await broker.enqueue(messages)
                let results = try await lines.map { try JSONValue(parsing: $0) }
                #expect(results.dropLast() == Self.values.map { [$0] }[...])
                #expect(results.last == ["Failure", "It broke: ü"])
            }
        }
    }

    @Test func whatPythonsActorsReturnIsAwaited() async throws {
        try await withBroker { server, broker, _ in
            let worker = try PythonPeer.startWorker(server, environment: ["RESULTS": "1"])
            let messages = (0..<20).map { number in
                Message(
                    queueName: "python", actorName: "python", args: [0, .integer(number), 0, 0],
                    options: ["max_retries": 0])
            }
            let fails = Message(
                queueName: "python", actorName: "python", args: [0, 0, 1, 0], options: ["max_retries": 0])
            try await broker.enqueue(messages + [fails])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, message) in messages.enumerated() {
                    group.addTask {
                        let result = try await message.result([String: Int].self, from: broker, timeout: .patience)
                        #expect(result == ["task": number])
                    }
                }
                try await group.waitForAll()
            }
            let error = await #expect(throws: ResultError.self) {
                try await fails.result(JSONValue.self, from: broker, timeout: .patience)
            }
            #expect(error?.code == .failed && error?.errorType == "Failure")
            worker.kill()
        }
    }

    /// Python keeps what its tasks return since their messages ask for it, and may do so after it has sent what follows.
    @Test(arguments: ["all", "asked"]) func stepsTakeWhatPythonsTasksReturn(kept: String) async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            let broker = Broker(
                transport: RedisTransport(redis),
                middleware: Broker.defaultMiddleware + [
                    Results(backend: RedisResultBackend(redis)),
                    WorkflowMiddleware(backend: RedisRateLimiterBackend(redis)),
                ],
                logger: RecordingLog().logger)
            let taken = Recorder<[Int]>()
            let swift = TaskActor("swift", queue: "swift") { (_: Int, task: Int, _: Int, _: Int) in ["task": task] }
            let collect = TaskActor("collect", queue: "swift") { (results: [[String: Int]], first: [String: Int]) in
                taken.add((results + [first]).compactMap { $0["task"] })
            }
            try await broker.declare(swift, collect)
            let worker = try PythonPeer.startWorker(server, environment: ["RESULTS": kept])
            func task(_ language: String, _ number: Int) -> Message {
                Message(queueName: language, actorName: language, args: [0, .integer(number), 0, 0])
            }
            for workflow in 0..<20 {
                let numbers = (0..<8).map { workflow * 10 + $0 }
                try await Workflow(broker: broker) {
                    Chain {
                        task("python", workflow).named("first")
                        Group {
                            for number in numbers {
                                let languages = number.isMultiple(of: 3) ? ["python", "swift"] : ["swift", "python"]
                                Chain { for language in languages { task(language, number) } }
                            }
                        }
                        Message(collect, taking: .previous, .named("first"))
                    }
                }.run()
            }
            try await withWorker(Worker(broker)) {
                try await eventually { taken.count == 20 }
            }
            let expected = (0..<20).map { workflow in (0..<8).map { workflow * 10 + $0 } + [workflow] }
            #expect(Set(taken.values) == Set(expected))
            worker.kill()
            await redis.shutDown()
        }
    }
}
