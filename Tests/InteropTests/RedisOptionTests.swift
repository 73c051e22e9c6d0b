import Dramatiq
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// Options that one language writes and the other one reads, over Redis.
@Suite(.timeLimit(.minutes(10))) struct RedisOptionTests {
    private struct Failure: Error {}

    /// Times with a fraction are waited for, and those that are none are kept.
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
                try await eventually { ran.count == 4 }
                try await eventually { try await !transport.deadLetters(queue: "swift").isEmpty }
            }
            #expect(Set(ran.values.map(\.name)) == ["\(JSONValue.double(due))", "0.5", "true", "null"])
            let last = try #require(ran.values.first { $0.name == "\(JSONValue.double(due))" })
            #expect(last.at >= Int(due.rounded(.up)))
            let letters = try await transport.deadLetters(queue: "swift")
            #expect(letters.count == 1)
            #expect(try letters.first?.message().args == ["\"soon\""])
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
