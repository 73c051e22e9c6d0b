import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// A fleet of both languages: the actors `swift` and `python`, each on a queue of the same name.
extension WorkflowFleet {
    /// Runs a body beside a worker of each language, which must outlive it.
    ///
    /// - Parameter pythonStorage: the storage of Python's worker, if it isn't that of the fleet.
    func withBothWorkers(pythonStorage: SharedStorage? = nil, _ body: () async throws -> Void) async throws {
        let swift = try startWorker(actors: "swift@swift", concurrency: 8)
        let python = try startPythonWorker(storage: pythonStorage)
        try await body()
        #expect(swift.isRunning && python.isRunning)
        swift.kill()
        python.kill()
    }

    /// Starts random trees, each task in a language that is drawn by lot, those with odd numbers from Python.
    func startTrees(_ seeds: [TestSeed]) async throws {
        var pythons: [WorkflowNode] = []
        for seed in seeds {
            // In every other one, tasks of Swift add others, of both languages.
            let adding = seed.number.isMultiple(of: 2) ? 3 : 0
            let (number, tree) = makeTree(seed: seed, longestTask: 5, adding: adding) { generator in
                Bool.random(using: &generator) ? ("swift", "swift") : ("python", "python")
            }
            if number.isMultiple(of: 2) {
                try await Workflow(tree.root, broker: broker).run()
            } else {
                pythons.append(tree.root)
            }
        }
        try await startFromPython(pythons)
    }

    func startFromPython(_ workflows: [WorkflowNode]) async throws {
        _ = try await PythonPeer.run(
            ["start", server.url, namespace], input: try workflows.map { try $0.jsonValue.encoded() },
            environment: pythonEnvironment)
    }

    /// The order in which tasks that no tree has ended, once so many have.
    func order(count: Int) async throws -> [Int] {
        var ends: [Int] = []
        try await eventually(within: .seconds(100)) {
            let lines = try await self.redis.execute(
                RedisCommand("LRANGE", TaskEvents.key(namespace: self.namespace), 0, -1)
            ).array()
            ends = try lines.compactMap { line in
                let parts = try line.string().split(separator: " ")
                return parts[0] == "end" ? Int(parts[2]) : nil
            }
            return ends.count >= count
        }
        return ends
    }

    /// A task for a worker of either language that is apart from the trees.
    static func task(_ id: Int, _ language: String, milliseconds: Int = 0) -> Message {
        Message(queueName: language, actorName: language, args: [0, .integer(id), 0, .integer(milliseconds)])
    }
}
