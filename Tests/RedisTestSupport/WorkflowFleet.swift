public import Dramatiq
import DramatiqMemcached
public import DramatiqRedis
import DramatiqTestKit
public import DramatiqWorkflow
public import Foundation
import Synchronization
public import TestSupport

/// Starts random workflows in one namespace of a Redis server, and processes that work on them. Barriers are kept there
/// or in Memcached.
public final class WorkflowFleet: Sendable {
    public let server: RedisServer
    /// What Swift is told; Python is told `server`.
    private let url: String
    public let namespace: String
    public let heartbeat: Duration
    /// The Memcached servers that keep the barriers; none if Redis does.
    private let memcached: [String]
    private let barriers: BarrierStyle
    private let storage: SharedStorage?
    public let redis: RedisClient
    public let transport: RedisTransport
    public let broker: Broker
    /// How often a task fails that does so until ``mend()``.
    public static let untilMended = 1_000_000

    /// A task without retries that belongs to no tree, under numbers of the caller's.
    ///
    /// - Parameter fails: whether it fails until ``mend()``.
    public static func task(_ workflow: Int, _ number: Int, fails: Bool = false) -> Message {
        Message(
            queueName: "default", actorName: "task",
            args: [.integer(workflow), .integer(number), .integer(fails ? untilMended : 0), 0],
            options: ["max_retries": 0])
    }

    /// Has the tasks succeed from now on that fail until then.
    public func mend() async throws {
        _ = try await redis.execute(RedisCommand("SET", "\(TaskEvents.key(namespace: namespace)):mended", 1))
    }

    /// The number of no workflow.
    private static let apart = -1

    /// By their numbers.
    private let trees = Recorder<RandomTree>()
    /// Whether workers of Python were started, which count at barriers only.
    private let hasPython = Mutex(false)

    /// - Parameters:
    ///   - entry: another node of the server's cluster, for Swift; Python needs the one that has the slot.
    ///   - memcached: the addresses of the Memcached servers that keep the barriers, instead of Redis.
    ///   - barriers: how they are kept, in both languages.
    ///   - storage: what remains of workflows, for both languages; in the messages unless given.
    public init(
        _ server: RedisServer,
        namespace: String,
        heartbeat: Duration,
        entry: RedisServer? = nil,
        memcached: [String] = [],
        barriers: BarrierStyle = .atMostOnce,
        storage: SharedStorage? = nil
    ) throws {
        self.server = server
        self.memcached = memcached
        self.barriers = barriers
        self.storage = storage
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
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(
                    backend: try Self.store(redis, memcached), barriers: barriers,
                    callbackStorage: try storage?.callbackStorage(redis, namespace: namespace, role: "start")
                        ?? InlineCallbackStorage())
            ])
    }

    /// Where barriers are kept.
    ///
    /// - Parameter memcached: the addresses of Memcached servers; none for Redis.
    public static func store(_ redis: any RedisExecutor, _ memcached: [String]) throws -> any StateStore {
        if memcached.isEmpty { return RedisRateLimiterBackend(redis) }
        return MemcachedRateLimiterBackend(try MemcachedClient(servers: memcached))
    }

    /// Starts a worker of Swift.
    ///
    /// - Parameters:
    ///   - fault: at which of its commits it kills itself, as `RedisTestWorker` has it.
    ///   - lethal: a text that it dies of when it reads a message with that.
    ///   - held: a file until which tasks with a negative time keep their threads busy. They take no time unless given.
    ///   - options: more arguments, as `RedisTestWorker` has them.
    ///   - log: a file for what it prints.
    public func startWorker(
        actors: String = "task@default",
        queues: String? = nil,
        concurrency: Int = 4,
        die fault: String? = nil,
        dyingOf lethal: String? = nil,
        holdingUntil held: URL? = nil,
        options: [String] = [],
        log: String? = nil
    ) throws -> ChildProcess {
        var arguments = [
            "url=\(url)", "namespace=\(namespace)", "concurrency=\(concurrency)", "actors=\(actors)",
            "heartbeat=\(heartbeat.milliseconds)",
        ]
        if let queues { arguments.append("queues=\(queues)") }
        if let fault { arguments.append("die=\(fault)") }
        if let lethal { arguments.append("lethal=\(lethal)") }
        if let held { arguments.append("hold=\(held.path)") }
        if !memcached.isEmpty { arguments.append("memcached=\(memcached.joined(separator: ","))") }
        if barriers == .counting { arguments.append("barriers=counting") }
        if let storage { arguments.append("storage=\(storage.text)") }
        return try ChildProcess(TestPrograms.worker, arguments + options, output: log, error: log)
    }

    /// Starts a worker of Python's dramatiq, with the actor `python` on a queue of the same name, and others.
    ///
    /// - Parameters:
    ///   - actors: more actors, each with its queue.
    ///   - queues: the queues to take from; all unless given.
    ///   - isHolding: whether tasks with a negative time never end. They take no time unless it is.
    ///   - storage: another storage than that of the fleet.
    public func startPythonWorker(
        actors: String = "",
        queues: String? = nil,
        isHolding: Bool = false,
        storage: SharedStorage? = nil,
        log: String? = nil
    ) throws -> ChildProcess {
        hasPython.withLock { $0 = true }
        var environment = pythonEnvironment
        if let storage { environment["STORAGE"] = storage.text }
        if isHolding { environment["HOLD"] = "1" }
        return try PythonPeer.startWorker(
            server, namespace: namespace, heartbeat: heartbeat,
            actors: ["python@python", actors].filter { !$0.isEmpty }.joined(separator: ","), queues: queues ?? "",
            output: log, environment: environment)
    }

    /// What tells Python where barriers are kept, and how.
    public var pythonEnvironment: [String: String] {
        var environment: [String: String] = [:]
        if !memcached.isEmpty { environment["MEMCACHED"] = memcached.joined(separator: ",") }
        if barriers == .counting { environment["COUNTING_BARRIERS"] = "1" }
        if let storage { environment["STORAGE"] = storage.text }
        return environment
    }

    /// How many contents that one language has stored at the start of a workflow the other one's workers have met.
    public func contentsThatCrossed(from starter: String, to worker: String) async throws -> Int {
        try await redis.execute(
            RedisCommand(
                "SINTER", SharedStorage.key(namespace: namespace, language: starter, role: "start"),
                SharedStorage.key(namespace: namespace, language: worker, role: "work"))
        ).array().count
    }

    /// Makes a random workflow with a number of its own.
    ///
    /// - Parameters:
    ///   - adding: how many in ten tasks of Swift add others when they run.
    ///   - actor: chooses the actor and the queue of a task.
    public func makeTree(
        seed: TestSeed,
        longestTask: Int = 15,
        adding: Int = 0,
        actor: @escaping (inout SeededGenerator) -> (name: String, queue: String) = { _ in ("task", "default") }
    ) -> (number: Int, tree: RandomTree) {
        let number = trees.count
        var generator = SeededGenerator(seed: seed.value &* 31 &+ 7)
        let tree = RandomTree(
            // Where barriers are apart nothing is known of runs.
            seed: seed.value, maxDepth: 4, adding: adding,
            hasPolicies: memcached.isEmpty && barriers == .atMostOnce && seed.number.isMultiple(of: 3)
        ) { id, failures in
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
    public func startTree(seed: TestSeed, adding: Int = 0) async throws {
        try await Workflow(makeTree(seed: seed, adding: adding).tree.root, broker: broker).run()
    }

    /// Sends tasks that belong to no workflow and take a time each; a negative one is for workers that hold.
    ///
    /// - Parameter failures: how often each fails; a negative number kills whoever runs it.
    public func sendTasks(_ tasks: Range<Int>, failures: Int = 0, milliseconds: Int) async throws {
        try await broker.enqueue(
            tasks.map { task in
                Message(
                    queueName: "default", actorName: "task",
                    args: [.integer(Self.apart), .integer(task), .integer(failures), .integer(milliseconds)])
            })
    }

    /// The lives of the tasks that belong to no workflow.
    public func lives() async throws -> [Int: TaskLife] {
        try await TaskEvents(redis, namespace: namespace).lives[Self.apart] ?? [:]
    }

    /// Starts random workflows, kills one of two workers at a random moment, and that so many times.
    ///
    /// - Parameters:
    ///   - firstTree: the seed of the first workflow; the others count from it.
    ///   - adding: how many in ten tasks add others when they run.
    /// - Returns: as ``violations(exactlyOnce:losingBarriers:)``, once all workflows have ended.
    public func violations(
        killingWorkers rounds: Int,
        firstTree: Int,
        adding: Int = 0,
        _ seed: TestSeed
    ) async throws -> [String] {
        let workers = try await killingWorkers(rounds: rounds, progress: 1...20, seed) { round in
            let hasNothingToDo = try await transport.unfinishedCount() == 0
            if hasNothingToDo || round.isMultiple(of: 4) {
                try await startTree(seed: TestSeed(firstTree + round), adding: adding)
            }
        }
        let violations = try await violations(exactlyOnce: false)
        for worker in workers { worker.kill() }
        return violations
    }

    /// Has two workers, and kills one of them at a random moment, so many times.
    ///
    /// - Parameters:
    ///   - progress: how many events there are in each round before somebody is killed.
    ///   - start: gives them something to do at the beginning of each round.
    /// - Returns: the two that are there then.
    public func killingWorkers(
        rounds: Int,
        progress: ClosedRange<Int>,
        _ seed: TestSeed,
        start: (_ round: Int) async throws -> Void
    ) async throws -> [ChildProcess] {
        var generator = seed.generator
        var workers = [try startWorker(), try startWorker()]
        for round in 0..<rounds {
            try await start(round)
            // Between two events that are drawn by lot, so that workers have come to something on any machine.
            try await self.progress(by: Int.random(in: progress, using: &generator))
            try await Task.sleep(for: .microseconds(Int.random(in: 0...5000, using: &generator)))
            let victim = Int.random(in: 0...1, using: &generator)
            workers[victim].kill()
            workers[victim] = try startWorker()
        }
        return workers
    }

    /// Waits until as many more starts and ends of tasks were noted, or all messages are done.
    public func progress(by count: Int) async throws {
        let key = TaskEvents.key(namespace: namespace)
        let goal = try await redis.execute(RedisCommand("LLEN", key)).integer() + count
        try await eventually {
            if try await self.redis.execute(RedisCommand("LLEN", key)).integer() >= goal { return true }
            return try await self.transport.unfinishedCount() == 0
        }
    }

    /// Waits until all workflows are done and no message is left, and returns what is wrong.
    ///
    /// - Parameters:
    ///   - exactlyOnce: whether no attempt may have run twice. Whatever it is, with barriers in Redis none may have been
    ///     enqueued twice.
    ///   - losingBarriers: whether workflows may have stopped for good whose barriers were lost, with a dead letter that
    ///     says so.
    ///   - pausing: whether runs were paused, so that what had begun on a worker that died may have come back as another
    ///     message.
    public func violations(
        exactlyOnce: Bool,
        losingBarriers: Bool = false,
        pausing: Bool = false
    ) async throws -> [String] {
        let trees = trees.values
        let queues = ["default", "python", "swift"]
        do {
            try await eventually {
                let isDone = try await self.transport.unfinishedCount(queues: queues) == 0
                if !isDone { try await Task.sleep(for: .milliseconds(20)) }
                return isDone
            }
        } catch is Deviation {
            // What is missing is found below.
        }
        var violations: [String] = []
        var stopped: Set<Int> = []
        // Of what takes the place of an empty part nobody knows whose it was.
        var placeholders = 0
        for queue in queues {
            for letter in try await transport.deadLetters(queue: queue) {
                let message = try letter.message()
                guard losingBarriers, letter.reason.contains("nobody knows who is still to arrive") else {
                    violations.append("dead letter \(message): \(letter.reason)")
                    continue
                }
                if let workflow = message.args.elements.first?.intValue {
                    stopped.insert(workflow)
                } else {
                    placeholders += 1
                }
            }
        }
        let events = try await TaskEvents(redis, namespace: namespace)
        for (number, tree) in trees.enumerated() {
            if placeholders > 0, !stopped.contains(number), !events.isComplete(tree, workflow: number) {
                placeholders -= 1
                stopped.insert(number)
            }
            violations += events.violations(
                tree, workflow: number, exactlyOnce: exactlyOnce,
                enqueuedOnce: exactlyOnce || memcached.isEmpty && !pausing,
                isStopped: stopped.contains(number))
        }
        return violations + (losingBarriers ? [] : try await runViolations())
    }

    /// What is wrong with what is known of the runs, once all workflows are done.
    private func runViolations() async throws -> [String] {
        guard memcached.isEmpty else { return [] }
        var violations: [String] = []
        for try await run in broker.workflowRuns() {
            let status = try await WorkflowRun(id: run.id, broker: broker).status()
            // With barriers that only count, Python's workers leave no trace of the end.
            let mayRun = hasPython.withLock(\.self) && barriers == .counting
            if run.state != .succeeded, !mayRun || run.state != .running {
                violations.append("run \(run.id) is \(run.state)")
            }
            var tasks = status.tasks
            // What takes the place of an empty part is in no definition.
            tasks[""] = nil
            let sum = tasks.values.reduce(RunTaskCounts(), +)
            let isCounted = sum.sent == sum.total && sum.succeeded == sum.total && sum.failed == 0
            if !hasPython.withLock(\.self), !isCounted { violations.append("run \(run.id) has counted \(tasks)") }
        }
        return violations
    }
}
