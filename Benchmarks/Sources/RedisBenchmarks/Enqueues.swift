import BenchmarkSupport
import Dramatiq
import DramatiqRedis

/// Sending messages: one after the other, many at the same time, and in batches.
func measureEnqueues(_ session: inout Session, _ server: LocalServer, _ python: Peer) async throws {
    let fleet = try await RedisFleet(server)
    let arguments: [String: PeerArgument] = ["url": .string(server.url), "count": 2000]
    if session.includes("enqueue in batches") {
        let batch = (0..<1000).map { fleet.noop.message($0) }
        let batches = 50
        let send: (RedisFleet) async throws -> Void = { fleet in
            for _ in 0..<batches { try await fleet.broker.enqueue(batch) }
        }
        try await session.compare(
            Comparison(
                "enqueue in batches", unit: "messages",
                aims: [.atLeast(25, times: "python"), .atLeast(0.5, times: "redis alone")],
                Contestant("swift") {
                    try await fleet.flush()
                    return try await Measurement.of(work: Double(batches * batch.count)) { try await send(fleet) }
                },
                Contestant("python", python, "enqueue", arguments),
                try await session.limit(server, work: batches * batch.count, width: 8, send)))
    }
    if session.includes("enqueue at the same time") {
        let count = 20_000
        let send: (RedisFleet) async throws -> Void = { fleet in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<64 {
                    group.addTask {
                        for number in stride(from: task, to: count, by: 64) {
                            try await fleet.noop.send(number, to: fleet.broker)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        try await session.compare(
            Comparison(
                "enqueue at the same time", unit: "messages",
                Contestant("swift") {
                    try await fleet.flush()
                    return try await Measurement.of(work: Double(count)) { try await send(fleet) }
                },
                Contestant("python", python, "enqueue", arguments),
                try await session.limit(server, work: count, send)))
    }
    if session.includes("enqueue one by one") {
        let count = 3000
        try await session.compare(
            Comparison(
                "enqueue one by one", unit: "messages",
                Contestant("swift") {
                    try await fleet.flush()
                    return try await Measurement.of(work: Double(count)) {
                        for number in 0..<count { try await fleet.noop.send(number, to: fleet.broker) }
                    }
                },
                Contestant("python", python, "enqueue", arguments)))
    }
    await fleet.client.shutDown()
}
