import Dramatiq
import Testing

/// The context as a test of somebody's own middleware makes it: by what is public alone.
@Suite(.timeLimit(.minutes(10)))
struct MessageContextTests {
    /// Reports what failed, and sends a word about what didn't.
    private struct Audit: AfterProcessMessage, BeforeAck {
        let reports: TaskActor<String, Void>

        func afterProcessMessage(_ context: inout MessageContext) async throws {
            if let error = context.error { context.fail("seen: \(error)") }
        }

        func beforeAck(_ context: inout MessageContext) async throws {
            try await context.enqueue(reports.message(context.actor.name))
        }
    }

    private struct Failure: Error {}

    private let task = TaskActor("task") { (_: Int) in }
    private let audit = Audit(reports: TaskActor("reports") { _ in })

    private func broker() async throws -> Broker {
        let broker = Broker(transport: InMemoryTransport())
        try await broker.declare(task)
        try await broker.declare(audit.reports)
        return broker
    }

    @Test func whatAHookSendsIsInTheCommit() async throws {
        var context = MessageContext(broker: try await broker(), message: task.message(1))
        try await audit.afterProcessMessage(&context)
        #expect(!context.isFailed)
        try await audit.beforeAck(&context)
        let commit = context.commit
        #expect(commit.sends.map(\.message.actorName) == ["reports"])
        #expect(commit.end?.outcome == .acknowledge)
        #expect(commit.sends[0].message.args.elements.first?.stringValue == "task")
    }

    @Test func whatAnActorThrewCanBeGiven() async throws {
        var context = MessageContext(broker: try await broker(), message: task.message(1), error: Failure())
        try await audit.afterProcessMessage(&context)
        #expect(context.commit.end?.outcome == .reject(reason: "seen: Failure()"))
    }

    @Test func aMessageForNobodyHasAContextToo() async throws {
        let stray = Message(queueName: "default", actorName: "stray", args: JSONArray([]))
        var context = MessageContext(broker: try await broker(), message: stray)
        try await audit.beforeAck(&context)
        #expect(context.actor.name == "stray")
        #expect(context.commit.sends.count == 1)
    }
}
