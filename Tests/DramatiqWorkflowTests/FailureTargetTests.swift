import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// Whom a workflow's failure is told, and what becomes of its messages where nobody can go on with them.
@Suite(.timeLimit(.minutes(10))) struct FailureTargetTests {
    private struct Broken: Error {}

    @Test func anActorOfAnotherProgramCanBeTold() async throws {
        let stage = try await Stage(onFailure: .notify("tell", queue: "python"))
        let broken = TaskActor("broken", options: [.maxRetries(0)]) { throw Broken() }
        try await stage.broker.declare(broken)
        try await Workflow(Chain(broken.message(), stage.task.message("a")), broker: stage.broker).run()
        try await withWorker(stage.worker) { try await stage.transport.join() }
        #expect(stage.ran.values.isEmpty)
        let consumer = try await stage.transport.consumer(of: "python", prefetch: 1)
        let told = try #require(await consumer.next(limit: 1).first).message(decoder: JSONMessageEncoder())
        #expect(told.actorName == "tell")
        #expect(told.args.elements.last == "Broken()")
    }

    @Test func aWorkerDoesNotStartIfNobodyCanBeTold() async throws {
        let stage = try await Stage(onFailure: .notify("nobody"))
        let error = await #expect(throws: BrokerError.self) { try await stage.worker.run() }
        let text = "\(try #require(error))"
        #expect(text.contains("WorkflowMiddleware") && text.contains("onFailure") && text.contains("'nobody'"))
        let actors = try await Stage()
        try await actors.broker.declare(TaskActor("broken", options: [.workflowOnFailure(.notify("nobody"))]) {})
        let other = await #expect(throws: BrokerError.self) { try await actors.worker.run() }
        #expect("\(try #require(other))".contains("'broken'"))
    }

    @Test func aPolicyThatCannotBeReadKeepsTheActorFromRunning() async throws {
        let stage = try await Stage()
        for policy in ["stop", ["notify": "nobody"], ["notify": 5], 3] as [JSONValue] {
            try await stage.broker.enqueue(
                stage.task.messageWithOptions("a", options: ["workflow_on_failure": policy]))
        }
        try await stage.work()
        #expect(stage.ran.values.isEmpty)
        let reasons = stage.transport.deadLetters().map(\.reason)
        #expect(reasons.count == 4)
        #expect(reasons.allSatisfy { $0.hasPrefix("The option workflow_on_failure of message ") })
    }

    /// The rest of a workflow is kept by a worker that can't go on with it.
    @Test func aWorkerWithoutTheMiddlewareKeepsTheWorkflow() async throws {
        let stage = try await Stage()
        let m = stage.task.message
        try await Workflow(Chain(m("a"), m("b")), broker: stage.broker).run()
        let forgetful = Broker(transport: stage.transport, logger: stage.log.logger)
        try await forgetful.declare(stage.task)
        try await withWorker(Worker(forgetful)) { try await stage.transport.join() }
        #expect(stage.ran.values.isEmpty)
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(letter.reason.contains("workflow_completion_callbacks"))
        #expect(letter.reason.contains("WorkflowMiddleware"))
        // A worker that can goes on where the other one stopped.
        try stage.transport.requeueDeadLetter(letter.id)
        try await stage.work()
        #expect(stage.ran.values == ["a", "b"])
    }

    @Test func anExpectedFailureOfATaskIsNoError() async throws {
        let stage = try await Stage()
        let broken = TaskActor("broken", options: [.throws(Broken.self)]) { throw Broken() }
        try await stage.broker.declare(broken)
        try await stage.run(Chain(broken.message(), stage.task.message("a")))
        #expect(stage.log.entries.contains { $0.message == "A task of a workflow failed" })
        #expect(stage.log.complaints.isEmpty)
    }
}
