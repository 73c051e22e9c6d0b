import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// Groups of Python's dramatiq whose members run in both languages.
@Suite(.timeLimit(.minutes(10))) struct GroupCallbackInteropTests {
    @Test func theCallbackRunsOnceAllMembersHave() async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            let backend = RedisRateLimiterBackend(redis)
            let broker = Broker(
                transport: RedisTransport(redis),
                middleware: Broker.defaultMiddleware + [
                    GroupCallbacks(backend: backend), WorkflowMiddleware(backend: backend),
                ],
                logger: RecordingLog().logger)
            let ends = Recorder<Int>()
            let early = Recorder<Int>()
            let events = TaskEvents.key(namespace: "dramatiq")
            let swift = TaskActor("swift", queue: "swift") { (_: Int, task: Int, _: Int, _: Int) in
                _ = try await redis.execute(RedisCommand("RPUSH", events, "end 0 \(task) x 0"))
            }
            let end = TaskActor("end", queue: "swift") { (group: Int) in
                let lines = try await redis.execute(RedisCommand("LRANGE", events, 0, -1)).array()
                let done = Set(
                    try lines.map { try $0.string().split(separator: " ") }.filter { $0[0] == "end" }.map { $0[2] })
                if !(0..<6).allSatisfy({ done.contains("\(group * 6 + $0)") }) { _ = early.add(group) }
                _ = ends.add(group)
            }
            try await broker.declare(swift, end)
            let worker = try PythonPeer.startWorker(server, environment: ["GROUPS": "1"])
            let groups = (0..<20).map { group in
                let members = (0..<6).map { number in
                    let name = (group + number).isMultiple(of: 2) ? "swift" : "python"
                    return Message(
                        queueName: name, actorName: name, args: [0, .integer(group * 6 + number), 0, 1])
                }
                return JSONValue.array(JSONArray((members + [end.message(group)]).map(\.jsonValue)))
            }
            try await withWorker(Worker(broker)) {
                _ = try await PythonPeer.run(
                    ["groups", server.url, "dramatiq"], input: groups.map { $0.encoded() },
                    environment: ["GROUPS": "1"])
                try await eventually(within: .patience) { ends.count >= groups.count }
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(ends.values.sorted() == Array(groups.indices))
            #expect(early.values == [])
            worker.kill()
            await redis.shutDown()
        }
    }
}
