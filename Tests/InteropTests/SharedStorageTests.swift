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
        "dedup.s3+zlib", "dedup.tiers",
    ]

    /// - Parameter python: the kind of storage that Python's worker has, if it isn't that of the fleet.
    private func withFleet(
        _ storage: String,
        python: String? = nil,
        _ body: (WorkflowFleet, _ place: String) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            let s3 = storage.hasPrefix("dedup.s3") ? try await S3Server() : nil
            defer { s3?.kill() }
            if let s3 { _ = try await PythonPeer.run(["bucket", s3.endpoint]) }
            let place = s3?.endpoint ?? server.directory.appending(path: "workflows").path
            let fleet = try WorkflowFleet(
                server, namespace: "dramatiq", heartbeat: .seconds(60),
                storage: SharedStorage("\(storage):\(place)"))
            try await fleet.withBothWorkers(pythonStorage: python.map { SharedStorage("\($0):\(place)") }) {
                try await body(fleet, place)
            }
        }
    }

    /// How many contents there are.
    private func count(_ fleet: WorkflowFleet, _ place: String) async throws -> Int {
        if place.hasPrefix("http") { return try await PythonPeer.run(["objects", place]).count }
        return try await countInRedis(fleet) + countOfFiles(place)
    }

    private func countInRedis(_ fleet: WorkflowFleet) async throws -> Int {
        try await fleet.redis.execute(RedisCommand("KEYS", "dramatiq:__workflows__.*")).array().count
    }

    private func countOfFiles(_ place: String) -> Int {
        let files = FileManager.default.enumerator(atPath: place)?.allObjects as? [String] ?? []
        return files.filter { URL(filePath: $0).lastPathComponent.count == 64 }.count
    }

    /// Random trees, each task in a language that was drawn by lot, started by either side.
    @Test(arguments: storages)
    func workflowsCrossBothLanguages(storage: String) async throws {
        try await withFleet(storage) { fleet, place in
            try await fleet.startTrees(TestSeed.first(80))
            let violations = try await fleet.violations(exactlyOnce: true)
            #expect(violations == [])
            for (starter, worker) in [("swift", "python"), ("python", "swift")] {
                #expect(try await fleet.contentsThatCrossed(from: starter, to: worker) > 5, "\(starter) to \(worker)")
            }
            #expect(try await count(fleet, place) > 20)
            if storage == "dedup.tiers" {
                #expect(try await countInRedis(fleet) > 5)
                #expect(countOfFiles(place) > 5)
            }
        }
    }

    /// A chain whose steps change hands is stored once, by whoever starts it.
    @Test(arguments: storages, ["swift", "python"])
    func aChainIsStoredOnce(storage: String, starter: String) async throws {
        try await withFleet(storage) { fleet, place in
            try await runChain(of: 60, from: starter, fleet)
            #expect(try await count(fleet, place) == 1)
        }
    }

    /// What Swift's tiers keep, Python finds by its name in the store of the tier that has it.
    @Test(arguments: [("dedup.redis", 4), ("dedup.file", 60)])
    func pythonReadsATierAlone(tier: (storage: String, length: Int)) async throws {
        try await withFleet("dedup.tiers", python: tier.storage) { fleet, place in
            try await runChain(of: tier.length, from: "swift", fleet)
            #expect(try await countInRedis(fleet) == (tier.storage == "dedup.redis" ? 1 : 0))
            #expect(try await count(fleet, place) == 1)
        }
    }

    /// Runs a chain whose steps change hands.
    private func runChain(of length: Int, from starter: String, _ fleet: WorkflowFleet) async throws {
        let chain = Chain(
            children: (0..<length).map { step in
                .message(WorkflowFleet.task(step, step % 5 < 2 ? "swift" : "python"))
            })
        if starter == "swift" {
            try await Workflow(chain, broker: fleet.broker).run()
        } else {
            try await fleet.startFromPython([chain.node])
        }
        #expect(try await fleet.order(count: length) == Array(0..<length))
    }
}
