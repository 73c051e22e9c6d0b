import BenchmarkSupport
import Dramatiq
import DramatiqRedis
import DramatiqWorkflow

/// What it costs that a run is counted, and what it takes to ask about runs.
func measureRuns(_ session: inout Session, _ server: LocalServer) async throws {
    try await measureTracking(&session, server)
    try await measureQuestions(&session, server)
}

private func measureTracking(_ session: inout Session, _ server: LocalServer) async throws {
    // How many workflows there are in a round, and what each consists of.
    let shapes: [(name: String, count: Int, tasks: Int, node: (RedisFleet) -> WorkflowNode)] = [
        (
            "run of a group of 5000", 1, 5001,
            { fleet in
                Chain(
                    Group(children: (0..<5000).map { .message(fleet.noop.message($0)) }), fleet.noop.message(0)
                ).node
            }
        ),
        (
            "run of a chain of 1000", 1, 1000,
            { fleet in Chain(children: (0..<1000).map { .message(fleet.noop.message($0)) }).node }
        ),
        (
            "runs of 20 tasks", 200, 4000,
            { fleet in
                Chain(
                    fleet.noop.message(0), Group(children: (0..<18).map { .message(fleet.noop.message($0)) }),
                    fleet.noop.message(0)
                ).node
            }
        ),
        ("runs of one task", 2000, 2000, { fleet in .message(fleet.noop.message(0)) }),
    ]
    for shape in shapes where session.includes(shape.name) {
        let tracked = try await RedisFleet(server)
        let untracked = try await RedisFleet(server, tracking: .disabled)
        let kept = try await RedisFleet(server, results: .beside)
        let keptApart = try await RedisFleet(server, results: .apart)
        func contestant(_ name: String, _ fleet: RedisFleet) -> Contestant {
            Contestant(name) {
                try await fleet.flush()
                let workflow = Workflow(shape.node(fleet), broker: fleet.broker)
                return try await fleet.work {
                    try await Measurement.of(work: Double(shape.tasks)) {
                        for _ in 0..<shape.count { try await workflow.run() }
                        try await fleet.join()
                    }
                }
            }
        }
        try await session.compare(
            Comparison(
                shape.name, unit: "tasks", aims: [.atLeast(0.9, times: "untracked")],
                contestant("tracked", tracked), contestant("untracked", untracked),
                contestant("tracked, with results", kept), contestant("tracked, with results apart", keptApart)))
        for fleet in [tracked, untracked, kept, keptApart] { await fleet.shutDown() }
    }
}

private func measureQuestions(_ session: inout Session, _ server: LocalServer) async throws {
    guard session.includes("status and lists of runs") else { return }
    let fleet = try await RedisFleet(server)
    try await fleet.flush()
    let members = (0..<100_000).map { WorkflowNode.message(fleet.noop.message($0)) }
    let run = try await Workflow(Group(children: members), broker: fleet.broker).run()
    func median(_ count: Int, _ body: () async throws -> Void) async throws -> Double {
        var times: [Double] = []
        for _ in 0..<count {
            let start = ContinuousClock.now
            try await body()
            times.append((.now - start).inSeconds * 1000)
        }
        return times.sorted()[count / 2]
    }
    let status = try await median(50) { _ = try await run.status() }
    session.add(Figure("status of a run of 100 000 tasks, median", status, unit: "ms"))
    try await fleet.flush()
    for number in 0..<10_000 {
        try await Workflow(
            fleet.noop.message(number), name: "album", labels: ["customer": "\(number % 100)"], broker: fleet.broker
        ).run()
    }
    let list = try await median(20) {
        var count = 0
        for try await _ in fleet.broker.workflowRuns() { count += 1 }
        precondition(count == 10_000)
    }
    session.add(Figure("listing 10 000 runs, median", list, unit: "ms"))
    let page = try await median(50) {
        for try await _ in fleet.broker.workflowRuns(labels: ["customer": "42"]) {}
    }
    session.add(Figure("listing 100 of 10 000 runs by a label, median", page, unit: "ms"))
    await fleet.client.shutDown()
}
