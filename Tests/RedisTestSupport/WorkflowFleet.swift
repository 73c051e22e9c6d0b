public import Dramatiq
public import DramatiqRedis
import DramatiqWorkflow
public import TestSupport

/// Starts random workflows in one namespace of a Redis server, and processes that work on them.
public final class WorkflowFleet: Sendable {
    public let server: RedisServer
    /// What Swift is told; Python is told `server`.
    private let url: String
    public let namespace: String
    public let heartbeat: Duration
    public let redis: RedisClient
    public let transport: RedisTransport
    public let broker: Broker
    /// By their numbers.
    private let trees = Recorder<RandomTree>()

    /// - Parameter entry: another node of the server's cluster, for Swift; Python needs the one that has the slot.
    public init(_ server: RedisServer, namespace: String, heartbeat: Duration, entry: RedisServer? = nil) throws {
        self.server = server
        url = entry?.url ?? server.url
        self.namespace = namespace
        self.heartbeat = heartbeat
        redis = try RedisClient(url: url)
        transport = RedisTransport(
            redis,
            configuration: RedisTransport.Configuration(
                namespace: namespace, heartbeatTimeout: heartbeat, sendPatience: .seconds(60)))
        broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: RedisRateLimiterBackend(redis))])
    }

    /// Starts a worker of Swift.
    public func startWorker(
        actors: String = "task@default",
        queues: String? = nil,
        concurrency: Int = 4,
        die fault: String? = nil,
        log: String? = nil
    ) throws -> ChildProcess {
        var arguments = [
            "url=\(url)", "namespace=\(namespace)", "concurrency=\(concurrency)", "actors=\(actors)",
            "heartbeat=\(heartbeat.milliseconds)",
        ]
        if let queues { arguments.append("queues=\(queues)") }
        if let fault { arguments.append("die=\(fault)") }
        return try ChildProcess(TestPrograms.worker, arguments, log: log)
    }

    /// Starts a worker of Python's dramatiq, with the actor `python` on a queue of the same name, and others.
    ///
    /// - Parameter actors: more actors, each with its queue.
    public func startPythonWorker(actors: String = "", log: String? = nil) throws -> ChildProcess {
        try ChildProcess(
            TestPrograms.python(),
            [
                TestPrograms.pythonPeer, "work", server.url, namespace, "\(heartbeat.milliseconds)",
                ["python@python", actors].filter { !$0.isEmpty }.joined(separator: ","),
            ], log: log)
    }

    /// Makes a random workflow with a number of its own.
    ///
    /// - Parameter actor: chooses the actor and the queue of a task.
    public func makeTree(
        seed: UInt64,
        longestTask: Int = 15,
        actor: @escaping (inout SeededGenerator) -> (name: String, queue: String) = { _ in ("task", "default") }
    ) -> (number: Int, tree: RandomTree) {
        let number = trees.count
        var generator = SeededGenerator(seed: seed &* 31 &+ 7)
        let tree = RandomTree(seed: seed, maximumDepth: 4) { id, failures in
            let (name, queue) = actor(&generator)
            let milliseconds = Int.random(in: 0...longestTask, using: &generator)
            return Message(
                queueName: queue, actorName: name,
                args: [.integer(number), .integer(id), .integer(failures), .integer(milliseconds)],
                options: ["min_backoff": 1, "max_backoff": 3])
        }
        trees.add(tree)
        return (number, tree)
    }

    /// Makes a random workflow and starts it from this process.
    public func startTree(seed: UInt64) async throws {
        try await Workflow(makeTree(seed: seed).tree.root, broker: broker).run()
    }

    /// Waits until all workflows are done and no message is left, and returns what is wrong.
    ///
    /// - Parameter exactlyOnce: whether no attempt may have run twice.
    public func violations(within limit: Duration = .seconds(60), exactlyOnce: Bool) async throws -> [String] {
        let trees = trees.values
        let queues = ["default", "python", "swift"]
        do {
            try await eventually(within: limit) {
                for queue in queues where try await self.transport.unfinishedCount(queue: queue) > 0 {
                    try await Task.sleep(for: .milliseconds(20))
                    return false
                }
                return true
            }
        } catch is NeverHeld {
            // What is missing is found below.
        }
        let events = try await TaskEvents(redis, namespace: namespace)
        var violations: [String] = []
        for (number, tree) in trees.enumerated() {
            violations += events.violations(tree, workflow: number, exactlyOnce: exactlyOnce)
        }
        for queue in queues {
            for letter in try await transport.deadLetters(queue: queue) {
                violations.append("dead letter \(try letter.message()): \(letter.reason)")
            }
        }
        return violations
    }
}
