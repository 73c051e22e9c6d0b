import BenchmarkSupport
import Dramatiq

/// Tasks through the in-memory transport, and what they leave in memory.
func measureTasks(_ session: inout Session, _ python: Peer) async throws {
    // Python's StubBroker keeps encoded messages, so the second one is the same work on both sides.
    for (name, fidelity) in [("tasks", .values), ("tasks as bytes", .bytes)] as [(_, InMemoryTransport.Fidelity)] {
        guard session.includes(name) else { continue }
        try await Embedded.run(fidelity) { embedded in
            try await session.compare(
                Comparison(
                    name, unit: "tasks", aims: [.atLeast(15, times: "python")],
                    Contestant("swift", round: embedded.tasks(50_000)),
                    Contestant("python", python, "tasks", ["count": 5000])
                )
            )
        }
    }
    try await measureMiddleware(&session)
    try await measureTelemetry(&session)
    try await measureMemory(&session, python)
}

/// The price of middleware that do next to nothing.
private func measureMiddleware(_ session: inout Session) async throws {
    guard session.includes("tasks with middleware") else { return }
    try await Embedded.run { none in
        try await Embedded.run(middleware: OrdinaryMiddleware.three) { three in
            try await session.compare(
                Comparison(
                    "tasks with middleware", unit: "tasks", aims: [.atLeast(0.85, times: "none")],
                    Contestant("three", round: three.tasks(50_000)),
                    Contestant("none", round: none.tasks(50_000))))
        }
    }
}

private func measureMemory(_ session: inout Session, _ python: Peer) async throws {
    guard session.includes("memory") else { return }
    try await Embedded.run { embedded in
        let early = try await memory(after: 100_000, embedded)
        let late = try await memory(after: 900_000, embedded)
        session.add(Figure("memory after 100 000 tasks", early / 1e6, unit: "MB"))
        session.add(Figure("memory after 1 000 000 tasks", late / 1e6, unit: "MB"))
        session.add(Figure("growth of memory", late / early, unit: "×", limit: 1.1))
    }
    guard session.includesPeers else { return }
    let early = try await python.value("memory_after_tasks", ["count": 20_000])
    let late = try await python.value("memory_after_tasks", ["count": 80_000])
    session.add(Figure("python: after 20 000 tasks", early / 1e6, unit: "MB"))
    session.add(Figure("python: after 100 000 tasks", late / 1e6, unit: "MB"))
}

/// Resident bytes once so many tasks have passed, at most 10 000 of them waiting at a time.
private func memory(after count: Int, _ embedded: Embedded) async throws -> Double {
    for _ in 0..<count / 10_000 {
        for number in 0..<10_000 { try await embedded.noop.send(number, to: embedded.broker) }
        try await embedded.join()
    }
    return Double(Memory.resident())
}
