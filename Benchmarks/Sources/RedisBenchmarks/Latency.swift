import BenchmarkSupport
import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Synchronization

/// From the start of one task of a chain to the start of the next, when nothing else is to be done.
func measureLatency(_ session: inout Session, _ server: LocalServer, _ python: Peer) async throws {
    guard session.includes("latency of a hop") else { return }
    let starts = Mutex<[ContinuousClock.Instant]>([])
    let stamp = TaskActor("stamp") { (_: Int) in starts.withLock { $0.append(.now) } }
    let fleet = try await RedisFleet(server)
    try await fleet.broker.declare(stamp)
    var hops: [Double] = []
    for _ in 0..<20 {
        try await fleet.flush()
        starts.withLock { $0 = [] }
        try await fleet.work {
            try await Workflow(broker: fleet.broker) {
                Chain { for number in 0..<50 { stamp.message(number) } }
            }.run()
            try await fleet.join()
        }
        let instants = starts.withLock(\.self)
        hops += zip(instants, instants.dropFirst()).map { ($1 - $0).inSeconds * 1000 }
    }
    hops.sort()
    session.add(Figure("latency of a hop, median", hops[hops.count / 2], unit: "ms"))
    session.add(Figure("latency of a hop, 99 %", hops[hops.count * 99 / 100], unit: "ms"))
    await fleet.client.shutDown()
    guard session.includesPeers else { return }
    for percent in [50, 99] {
        let value = try await python.value(
            "hop_latency", ["url": .string(server.url), "percent": .integer(percent)])
        session.add(Figure("python: latency of a hop, \(percent) %", value, unit: "ms"))
    }
}
