import BenchmarkSupport
import Dramatiq
import DramatiqWorkflow

/// Chains, and groups of growing size.
func measureWorkflows(_ session: inout Session, _ python: Peer) async throws {
    try await measureChains(&session, python)
    try await measureGroups(&session, python)
}

/// A chain's messages carry what remains of it, so long chains have heavier hops.
private func measureChains(_ session: inout Session, _ python: Peer) async throws {
    for length in [100, 500] {
        let name = "chain of \(length)"
        guard session.includes(name) else { continue }
        try await Embedded.run { embedded in
            try await session.compare(
                Comparison(
                    name, unit: "hops", aims: [.atLeast(100, times: "python")],
                    Contestant(
                        "swift",
                        round: embedded.workflow(work: length, times: 10_000 / length) {
                            Chain { for number in 0..<length { embedded.noop.message(number) } }
                        }),
                    Contestant("python", python, "chain", ["length": .integer(length)])
                )
            )
        }
    }
}

/// A group, and one task that waits for all of it.
private func measureGroups(_ session: inout Session, _ python: Peer) async throws {
    var costs: [Double] = []
    for (name, size, rounds) in [("1 000", 1_000, Int.max), ("10 000", 10_000, 5), ("100 000", 100_000, 3)] {
        let name = "group of \(name)"
        guard session.includes(name) else { continue }
        try await Embedded.run { embedded in
            let result = try await session.compare(
                Comparison(
                    name, unit: "members", aims: [.atLeast(25, times: "python")], maxRounds: rounds,
                    Contestant(
                        "swift",
                        round: embedded.workflow(work: size, times: max(1, 10_000 / size)) {
                            Chain {
                                Group { for number in 0..<size { embedded.noop.message(number) } }
                                embedded.noop.message(0)
                            }
                        }),
                    Contestant("python", python, "group", ["size": .integer(size)])
                )
            )
            if let result { costs.append(1 / result.rate) }
        }
    }
    if let small = costs.first, let large = costs.last, costs.count == 3 {
        session.add(Figure("cost of a member, 100 000 to 1 000", large / small, unit: "×", limit: 1.5))
    }
}
