import Dramatiq
import DramatiqWorkflow

/// A workflow with a bit of everything: a chain in a group in a chain, a group in a chain in a group. Its tasks only
/// take their time.
struct EightTasks: Sendable {
    static let names = (1...8).map { "task\($0)" }

    /// The tasks that the group starts side by side.
    static let namesSideBySide: Set<String> = ["task2", "task3", "task4"]

    private static let milliseconds = [300, 600, 1200, 500, 500, 700, 450, 400]

    let actors: [TaskActor<Int, Void>]
    private let durations: [Int]

    /// - Parameters:
    ///   - speed: 2 makes tasks half as long.
    ///   - work: what a task does, given its name and how long it should take; it sleeps unless given.
    init(
        speed: Double,
        work: @escaping @Sendable (String, Duration) async throws -> Void = { try await Task.sleep(for: $1) }
    ) {
        actors = Self.names.map { name in
            TaskActor(name) { (milliseconds: Int) in try await work(name, .milliseconds(milliseconds)) }
        }
        durations = Self.milliseconds.map { max(1, Int((Double($0) / speed).rounded())) }
    }

    /// How long the workflow takes if nothing but the tasks takes time: the longest way through it.
    var expectedMilliseconds: Double {
        func duration(_ number: Int) -> Int { durations[number - 1] }
        let ways = [
            duration(2) + duration(5), duration(3), duration(4) + max(duration(6), duration(7)),
        ]
        return Double(duration(1) + (ways.max() ?? 0) + duration(8))
    }

    func workflow(on broker: Broker) -> Workflow { Workflow(definition, broker: broker) }

    var definition: Chain {
        func task(_ number: Int) -> Message { actors[number - 1].message(durations[number - 1]) }
        return Chain(
            task(1),
            Group(
                Chain(task(2), task(5)),
                task(3),
                Chain(task(4), Group(task(6), task(7)))
            ),
            task(8)
        )
    }
}
