import BenchmarkSupport
import Dramatiq

/// Delayed messages that are all due when their worker starts, until the last one has run.
func measureDelays(_ session: inout Session) async throws {
    let count = 50_000
    for (name, fidelity) in [
        ("delayed messages due at once", .values), ("delayed messages due at once, as bytes", .bytes),
    ] as [(_, InMemoryTransport.Fidelity)] {
        try await session.compare(
            Comparison(
                name, unit: "messages",
                Contestant("swift") {
                    let transport = InMemoryTransport(fidelity: fidelity)
                    let noop = TaskActor("noop") { (_: Int) in }
                    let broker = Broker(transport: transport)
                    try await broker.declare(noop)
                    try await broker.enqueue((0..<count).map { noop.message($0) }, delay: .milliseconds(1))
                    // The last ones are due, too.
                    try await Task.sleep(for: .milliseconds(5))
                    return try await withThrowingTaskGroup(of: Void.self) { group in
                        let measurement = try await Measurement.of(work: Double(count)) {
                            group.addTask { try await Worker(broker).run() }
                            try await transport.join(timeout: .seconds(600))
                        }
                        group.cancelAll()
                        try await group.waitForAll()
                        return measurement
                    }
                }))
    }
}
