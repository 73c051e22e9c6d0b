import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// What becomes of delays of every type of JSON, as of those that only a broken program writes.
@Suite struct DelayTableTests {
    /// The clock of the fixtures.
    private static let now = 1_795_434_026_514

    private func delay(of node: JSONValue) async throws -> Duration {
        let workflow = Workflow(
            try WorkflowNode(node),
            broker: Broker(
                transport: InMemoryTransport(),
                middleware: [WorkflowMiddleware(backend: InMemoryRateLimiterBackend())]))
        return try #require(try await workflow.prepare().sends.first).delay ?? .zero
    }

    @Test func delaysMeanWhatPythonMakesOfThem() async throws {
        let rows = try Fixtures.rows("options.json").compactMap(\.objectValue).filter { $0["option"] == "with_delay" }
        #expect(rows.count > 50)
        for row in rows {
            let (value, outcome) = (try #require(row["value"]), try #require(row["outcome"]))
            var node: JSONValue = [
                "__type__": "message", "queue_name": "default", "actor_name": "task", "args": [], "kwargs": [:],
                "options": [:],
            ]
            if row["from"] != "node" { node = ["__type__": "with_delay", "delay": 5000, "task": node] }
            node = ["__type__": "with_delay", "delay": value, "task": node]
            let comment: Comment = "\(row)"
            switch outcome {
            case "error":
                await #expect(throws: WorkflowError.self, comment) { try await delay(of: node) }
            case "now":
                #expect(try await delay(of: node) == .zero, comment)
            case "never":
                #expect(try await delay(of: node) > .seconds(1e15), comment)
            default:
                let due = try #require(outcome.intValue)
                #expect(try await delay(of: node) == .milliseconds(due - Self.now), comment)
            }
        }
    }

    /// The same from a program of Swift, on the way through a whole workflow and its barriers.
    @Test(arguments: [Duration.zero, .seconds(-1), .seconds(Int64.min), .nanoseconds(1), .milliseconds(Int64.min)])
    func whatIsOverStartsAtOnce(delay: Duration) async throws {
        let transport = InMemoryTransport(fidelity: .bytes)
        let broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: InMemoryRateLimiterBackend())])
        let ran = Recorder<Int>()
        let task = TaskActor("task") { (number: Int) in _ = ran.add(number) }
        try await broker.declare(task)
        let never = TaskActor("task") { (_: Int) in }.message(-1)
        try await withWorker(Worker(broker)) {
            try await Workflow(
                Chain(
                    WithDelay(task.message(1), delay: delay),
                    WithDelay(Chain(WithDelay(Group(task.message(2), task.message(3)), delay: delay)), delay: delay),
                    WithDelay(Group(), delay: delay), task.message(4),
                    Group(
                        WithDelay(never, delay: .seconds(Int64.max)), WithDelay(never, delay: .milliseconds(Int64.max)))
                ),
                broker: broker
            ).run()
            try await eventually { ran.count == 4 && transport.status(queue: "default").delayed == 2 }
        }
        #expect(Set(ran.values) == [1, 2, 3, 4] && ran.values.last == 4)
        #expect(transport.deadLetters().isEmpty)
    }
}
