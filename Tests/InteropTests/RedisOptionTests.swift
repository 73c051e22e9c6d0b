import Dramatiq
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// Options that one language writes and the other one reads, over Redis.
@Suite(.timeLimit(.minutes(10))) struct RedisOptionTests {
    private struct Failure: Error {}

    /// Times with a fraction are waited for, and those that are none are over.
    @Test func timesThatPythonWritesAreWaitedFor() async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            let transport = RedisTransport(redis)
            let broker = Broker(transport: transport)
            let ran = Recorder<(name: String, at: Int)>()
            try await broker.declare(
                TaskActor("task", queue: "swift") { (name: String) in _ = ran.add((name, SystemClock.milliseconds())) })
            let due = SystemClock.fractionalMilliseconds().rounded(.down) + 1500.5
            let etas: [JSONValue] = [.double(due), 0.5, true, nil, "soon", .double(.infinity)]
            let messages = etas.map { eta in
                Message(queueName: "swift", actorName: "task", args: [.string("\(eta)")], options: ["eta": eta])
            }
            _ = try await PythonPeer.run(
                ["send", server.url, "dramatiq", "swift.DQ"], input: messages.map { $0.jsonValue.encoded() })
            try await withWorker(Worker(broker)) {
                try await eventually { ran.count == 5 }
            }
            #expect(Set(ran.values.map(\.name)) == ["\(JSONValue.double(due))", "0.5", "true", "null", "\"soon\""])
            let last = try #require(ran.values.first { $0.name == "\(JSONValue.double(due))" })
            #expect(last.at >= Int(due.rounded(.up)))
            #expect(try await transport.deadLetters(queue: "swift").isEmpty)
        }
    }

    /// What a worker moves to the delay queue, because it lies in the queue with a time that is far off, Python takes for
    /// what it would have written itself.
    @Test func pythonReadsWhatIsMovedToItsDelayQueue() async throws {
        try await withRedisServer { server in
            let transport = RedisTransport(try RedisClient(url: server.url))
            let broker = Broker(transport: transport)
            try await broker.declare(TaskActor("task", queue: "python") { (_: Int) in })
            let eta = SystemClock.milliseconds() + 3_600_000
            let sent = Message(
                queueName: "python", actorName: "task", args: [1], options: ["eta": .integer(eta), "unknown": [1]])
            _ = try await PythonPeer.run(
                ["send", server.url, "dramatiq", "python"], input: [sent.jsonValue.encoded()])
            try await withWorker(Worker(broker, concurrency: 1)) {
                try await eventually { try await transport.status(queue: "python").delayed == 1 }
            }
            let lines = try await PythonPeer.run(["receive", server.url, "dramatiq", "python.DQ", "1"])
            var moved = try JSONMessageEncoder().decode(try #require(lines.first))
            #expect(moved.queueName == "python.DQ")
            #expect(moved.options["eta"] == .integer(eta))
            #expect(moved.options["redis_message_id"]?.stringValue?.isEmpty == false)
            moved.queueName = "python"
            moved.options["redis_message_id"] = nil
            #expect(moved.options["unknown"] == [1])
            moved.options = sent.options
            #expect(moved == sent)
        }
    }

    /// An actor of Python is told, without being declared here, and gets the message as Python itself would give it.
    @Test func pythonIsToldOfAFailure() async throws {
        try await withRedisServer { server in
            let transport = RedisTransport(try RedisClient(url: server.url))
            let broker = Broker(transport: transport)
            let task = TaskActor("task", options: [.maxRetries(0), .onFailure("tell", queue: "python")]) {
                throw Failure()
            }
            try await broker.declare(task)
            try await withWorker(Worker(broker)) {
                try await task.send(to: broker)
                let lines = try await PythonPeer.run(["receive", server.url, "dramatiq", "python", "1"])
                let told = try JSONMessageEncoder().decode(try #require(lines.first))
                #expect(told.actorName == "tell")
                let options = try #require(told.args.elements.first?.objectValue?["options"]?.objectValue)
                #expect(options["retries"] == 1)
                #expect(options["traceback"] == "Failure: Failure()")
                #expect(options["requeue_timestamp"]?.intValue != nil)
                #expect(told.args.elements.last == ["type": "Failure", "message": "Failure()"])
            }
        }
    }
}
