import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Workflows whose tasks run in Swift and in Python, and whose rest is in a storage that both use.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SharedStorageTests {
    static let storages = [
        "file", "file+zlib", "dedup.file", "dedup.file+lz4", "dedup.redis", "dedup.redis+zlib", "dedup.redis+lz4",
        "dedup.s3+zlib",
    ]

    private func withFleet(
        _ storage: String,
        _ body: (WorkflowFleet, _ place: String) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            let s3 = storage.hasPrefix("dedup.s3") ? try await S3Server() : nil
            defer { s3?.process.kill() }
            if let s3 { _ = try await PythonPeer.run(["bucket", s3.endpoint]) }
            let place = s3?.endpoint ?? server.directory.appending(path: "workflows").path
            let fleet = try WorkflowFleet(
                server, namespace: "dramatiq", heartbeat: .seconds(60),
                storage: SharedStorage("\(storage):\(place)"))
            let swift = try fleet.startWorker(actors: "swift@swift", concurrency: 8)
            let python = try fleet.startPythonWorker()
            try await body(fleet, place)
            #expect(swift.isRunning && python.isRunning)
            swift.kill()
            python.kill()
        }
    }

    /// How many contents there are.
    private func count(_ fleet: WorkflowFleet, _ place: String) async throws -> Int {
        if place.hasPrefix("http") { return try await PythonPeer.run(["objects", place]).count }
        let files = FileManager.default.enumerator(atPath: place)?.allObjects as? [String] ?? []
        let names = files.filter { URL(filePath: $0).lastPathComponent.count == 64 }
        let keys = try await fleet.redis.execute(RedisCommand("KEYS", "dramatiq:__workflows__.*")).array()
        return names.count + keys.count
    }

    /// Random trees, each task in a language that was drawn by lot, started by either side.
    @Test(arguments: storages)
    func workflowsCrossBothLanguages(storage: String) async throws {
        try await withFleet(storage) { fleet, place in
            var pythons: [[UInt8]] = []
            for seed in TestSeed.first(80) {
                let (number, tree) = fleet.makeTree(seed: seed, longestTask: 5) { generator in
                    Bool.random(using: &generator) ? ("swift", "swift") : ("python", "python")
                }
                if number.isMultiple(of: 2) {
                    try await Workflow(tree.root, broker: fleet.broker).run()
                } else {
                    pythons.append(try tree.root.jsonValue.encoded())
                }
            }
            _ = try await PythonPeer.run(
                ["start", fleet.server.url, fleet.namespace], input: pythons, environment: fleet.pythonEnvironment)
            #expect(try await fleet.violations(exactlyOnce: true) == [])
            for (starter, worker) in [("swift", "python"), ("python", "swift")] {
                #expect(try await fleet.contentsThatCrossed(from: starter, to: worker) > 5, "\(starter) to \(worker)")
            }
            #expect(try await count(fleet, place) > 20)
        }
    }

    /// A chain whose steps change hands is stored once, by whoever starts it.
    @Test(arguments: storages, ["swift", "python"])
    func aChainIsStoredOnce(storage: String, starter: String) async throws {
        try await withFleet(storage) { fleet, place in
            let length = 60
            let chain = Chain(
                children: (0..<length).map { step in
                    let language = step % 5 < 2 ? "swift" : "python"
                    return .message(
                        Message(queueName: language, actorName: language, args: [0, .integer(step), 0, 0]))
                })
            if starter == "swift" {
                try await Workflow(chain, broker: fleet.broker).run()
            } else {
                _ = try await PythonPeer.run(
                    ["start", fleet.server.url, fleet.namespace], input: [try chain.node.jsonValue.encoded()],
                    environment: fleet.pythonEnvironment)
            }
            var ends: [Int] = []
            try await eventually(within: .seconds(100)) {
                let lines = try await fleet.redis.execute(
                    RedisCommand("LRANGE", TaskEvents.key(namespace: fleet.namespace), 0, -1)
                ).array()
                ends = try lines.compactMap { line in
                    let parts = try line.string().split(separator: " ")
                    return parts[0] == "end" ? Int(parts[2]) : nil
                }
                return ends.count >= length
            }
            #expect(ends == Array(0..<length))
            #expect(try await count(fleet, place) == 1)
        }
    }
}
