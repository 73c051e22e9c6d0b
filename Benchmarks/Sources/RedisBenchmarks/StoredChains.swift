import BenchmarkSupport
import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqLZ4
import DramatiqRedis
import DramatiqS3Storage
import DramatiqWorkflow
import Foundation

/// A place for what comes next, and what messages are encoded with.
private struct Place {
    let name: String
    var encoder: any MessageEncoder = JSONMessageEncoder()
    let storage: any CallbackStorage
}

/// Hops of chains over Redis for each callback storage: in the messages, each hop carries the rest of the chain; from a
/// storage, it costs the same however long the chain is.
func measureStoredChains(_ session: inout Session, _ server: LocalServer) async throws {
    let lengths = [100, 1_000, 10_000].filter { session.includes("chain by storage, \($0)") }
    guard !lengths.isEmpty else { return }
    let directory = FileManager.default.currentDirectoryPath + "/results/chains-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let client = try RedisClient(url: server.url)
    func files(_ name: String, _ durability: Durability) -> any CallbackStorage {
        let files = StorageDirectory("\(directory)/\(name)", durability: durability)
        return DedupCallbackStorage(FileWorkflowStore(files), cache: WorkflowCache())
    }
    let s3 = try Peer.python("s3.py")
    let port = Int(try await s3.value("serve"))
    let bucket = try S3WorkflowStore(
        S3Configuration(
            bucket: "benchmark", region: "us-east-1", endpoint: "http://127.0.0.1:\(port)",
            credentials: try S3Credentials(accessKeyID: "key", secretAccessKey: "secret")))
    let places = [
        Place(
            name: "dedup, Redis", storage: DedupCallbackStorage(RedisWorkflowStore(client), cache: WorkflowCache())),
        Place(name: "inline", storage: InlineCallbackStorage()),
        Place(name: "inline, LZ4", encoder: LZ4MessageEncoder(), storage: InlineCallbackStorage()),
        Place(name: "dedup, memory", storage: DedupCallbackStorage(InMemoryWorkflowStore(), cache: WorkflowCache())),
        Place(name: "dedup, files", storage: files("process", .processFailure)),
        Place(name: "dedup, files, power failure", storage: files("power", .powerFailure)),
        Place(
            name: "file storage",
            storage: FileCallbackStorage(StorageDirectory(directory + "/file"), cache: WorkflowCache())),
        Place(name: "dedup, S3", storage: DedupCallbackStorage(bucket, cache: WorkflowCache())),
        Place(
            name: "dedup, Redis with LZ4",
            storage: DedupCallbackStorage(
                RedisWorkflowStore(client).compressed(with: LZ4Compressor()), cache: WorkflowCache())),
        Place(
            name: "dedup, Redis and S3",
            storage: DedupCallbackStorage(
                RedisWorkflowStore(client).tiered(above: 64 << 10, to: bucket), cache: WorkflowCache())),
    ]
    var rates: [String: [Int: Double]] = [:]
    for length in lengths {
        // Short ones one after the other, or a round would be over before it has begun.
        let count = max(1, 1000 / length)
        var contestants: [Contestant] = []
        var fleets: [RedisFleet] = []
        for place in places {
            let fleet = try await RedisFleet(server, storage: place.storage, encoder: place.encoder)
            fleets.append(fleet)
            contestants.append(
                Contestant(place.name) {
                    try await fleet.flush()
                    return try await fleet.work {
                        try await Measurement.of(work: Double(length * count)) {
                            for _ in 0..<count { try await run(length, fleet) }
                        }
                    }
                })
        }
        // A hop can't begin before the one before it is done, so the server's best is one command at a time.
        contestants.append(
            try await session.limit(
                server, work: length * count, width: 1,
                storage: DedupCallbackStorage(InMemoryWorkflowStore(), cache: WorkflowCache())
            ) { fleet in
                try await fleet.work {
                    for _ in 0..<count { try await run(length, fleet) }
                }
            })
        let result = try await session.compare(
            Comparison(
                "chain by storage, \(length)", unit: "hops",
                aims: [.atLeast(length == 100 ? 1 : 3, times: "inline"), .atLeast(0.5, times: "redis alone")],
                maxRounds: length > 1_000 ? 2 : 5, contestants))
        for entry in result?.entries ?? [] { rates[entry.name, default: [:]][length] = entry.rate.median }
        for fleet in fleets { await fleet.client.shutDown() }
    }
    for place in places where !place.name.hasPrefix("inline") {
        guard let short = rates[place.name]?[100], let long = rates[place.name]?[10_000] else { continue }
        session.add(
            Figure(
                "chain by storage: a hop at 10 000 over one at 100, \(place.name)", short / long, unit: "times",
                limit: 1.3))
    }
    await client.shutDown()
    await s3.stop()
}

private func run(_ length: Int, _ fleet: RedisFleet) async throws {
    try await Workflow(broker: fleet.broker) {
        Chain { for number in 0..<length { fleet.noop.message(number) } }
    }.run()
    try await fleet.join()
}
