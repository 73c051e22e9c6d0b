import BenchmarkSupport
import Dramatiq
import DramatiqRedis
import DramatiqWorkflow

private let taskCount = 30_000

/// Sends tasks that wait for a worker.
private func sendTasks(_ fleet: RedisFleet) async throws {
    for first in stride(from: 0, to: taskCount, by: 1000) {
        try await fleet.broker.enqueue((first..<first + 1000).map { fleet.noop.message($0) })
    }
}

/// A round of plain tasks that wait when the worker starts, until the last one is done.
private func tasks(_ name: String, _ fleet: RedisFleet) -> Contestant {
    Contestant(name) {
        try await fleet.flush()
        try await sendTasks(fleet)
        return try await fleet.work {
            try await Measurement.of(work: Double(taskCount)) { try await fleet.join() }
        }
    }
}

/// Plain tasks, beside Python and what Redis does at best.
func measureTasks(_ session: inout Session, _ server: LocalServer, _ python: Peer) async throws {
    guard session.includes("tasks") else { return }
    let fleet = try await RedisFleet(server)
    try await session.compare(
        Comparison(
            "tasks", unit: "tasks",
            aims: [
                .atLeast(25, times: "python"), .atLeast(0.5, times: "redis alone"),
                .atLeast(0.5, times: "redis, one by one"),
            ],
            tasks("swift", fleet),
            Contestant("python", python, "tasks", ["url": .string(server.url), "count": 3000]),
            try await session.limit(server, work: taskCount, setup: sendTasks) { fleet in
                try await fleet.work { try await fleet.join() }
            },
            try await session.limit(named: "redis, one by one", server, work: taskCount, setup: sendTasks) { fleet in
                try await fleet.work(isBatched: false) { try await fleet.join() }
            }))
    await fleet.client.shutDown()
}

/// The price of middleware that do next to nothing.
func measureMiddleware(_ session: inout Session, _ server: LocalServer) async throws {
    guard session.includes("tasks with middleware") else { return }
    let three = try await RedisFleet(server, middleware: OrdinaryMiddleware.three)
    let none = try await RedisFleet(server)
    try await session.compare(
        Comparison(
            "tasks with middleware", unit: "tasks", aims: [.atLeast(0.85, times: "none")],
            tasks("three", three), tasks("none", none)))
    await three.client.shutDown()
    await none.client.shutDown()
}

/// A group with one task that waits for all of it, and a chain.
func measureWorkflows(_ session: inout Session, _ server: LocalServer, _ python: Peer) async throws {
    let fleet = try await RedisFleet(server)
    let size = 5000
    let length = 1000
    let group: (RedisFleet) async throws -> Void = { fleet in
        try await Workflow(broker: fleet.broker) {
            Chain {
                Group { for number in 0..<size { fleet.noop.message(number) } }
                fleet.noop.message(0)
            }
        }.run()
        try await fleet.join()
    }
    let chain: (RedisFleet) async throws -> Void = { fleet in
        try await Workflow(broker: fleet.broker) {
            Chain { for number in 0..<length { fleet.noop.message(number) } }
        }.run()
        try await fleet.join()
    }
    let url = PeerArgument.string(server.url)
    if session.includes("group of \(size)") {
        try await session.compare(
            Comparison(
                "group of \(size)", unit: "members",
                aims: [
                    .atLeast(50, times: "python"), .atLeast(0.5, times: "redis alone"),
                    .atLeast(0.5, times: "redis, one by one"),
                ],
                Contestant("swift") {
                    try await fleet.flush()
                    return try await fleet.work {
                        try await Measurement.of(work: Double(size)) { try await group(fleet) }
                    }
                },
                Contestant("python", python, "group", ["url": url, "size": 1000]),
                try await session.limit(server, work: size) { fleet in
                    try await fleet.work { try await group(fleet) }
                },
                try await session.limit(named: "redis, one by one", server, work: size) { fleet in
                    try await fleet.work(isBatched: false) { try await group(fleet) }
                }))
    }
    if session.includes("chain of \(length)") {
        try await session.compare(
            Comparison(
                "chain of \(length)", unit: "hops", aims: [.atLeast(25, times: "python")], maxRounds: 5,
                Contestant("swift") {
                    try await fleet.flush()
                    return try await fleet.work {
                        try await Measurement.of(work: Double(length)) { try await chain(fleet) }
                    }
                },
                Contestant("python", python, "chain", ["url": url, "length": .integer(length)]),
                // A hop can't begin before the one before it is done, so the server's best is one at a time.
                try await session.limit(server, work: length, width: 2) { fleet in
                    try await fleet.work { try await chain(fleet) }
                }))
    }
    await fleet.client.shutDown()
}
