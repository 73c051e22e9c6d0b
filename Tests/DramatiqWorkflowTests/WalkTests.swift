import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct WalkTests {
    private let task = TaskActor("task") { (_: Int) in }
    private let broker = Broker(transport: InMemoryTransport())

    private func workflow() -> Workflow {
        Workflow(
            Chain(
                task.message(0), Group(Chain(task.message(1), task.message(2)), Group(), task.message(3)), Chain(),
                WithDelay(Group(task.message(4)), delay: .seconds(1)), task.message(5)),
            broker: broker)
    }

    private func nested(_ depth: Int) -> WorkflowNode {
        var node = WorkflowNode.message(task.message(0))
        for level in 0..<depth {
            node = level % 3 == 0 ? .group([node]) : level % 3 == 1 ? .chain([node]) : .withDelay(node, .seconds(1))
        }
        return node
    }

    @Test func messagesAreGoneThroughInTheirOrder() {
        let workflow = workflow()
        #expect(workflow.walkMessages().map { $0.args.elements[0].intValue } == [0, 1, 2, 3, 4, 5])
        var visited: [String] = []
        workflow.walkMessages { visited.append($0.messageID) }
        #expect(visited == workflow.root.walkMessages().map(\.messageID))
        for message in workflow.walkMessages() where message.args == [2] { return }
        Issue.record("a loop can end early")
    }

    /// dramatiq-workflow's recipe: a failure handler on every message of a workflow.
    @Test func everyMessageGetsAFailureHandler() async throws {
        struct Broken: Error {}
        let stage = try await Stage()
        let told = Recorder<String>()
        let failing = TaskActor("failing", options: [.maxRetries(0)]) { throw Broken() }
        let tell = TaskActor("tell") { (message: JSONValue, _: JSONValue) in
            _ = told.add(message.objectValue?["actor_name"]?.stringValue ?? "")
        }
        try await stage.broker.declare(failing, tell)
        var workflow = Workflow(
            Group(stage.task.message("a"), Chain(failing.message(), failing.message())), broker: stage.broker)
        workflow.updateMessages { $0.options["on_failure"] = "tell" }
        try await workflow.run()
        try await stage.work()
        #expect(told.values == ["failing"])
        #expect(stage.ran.values == ["a"])
    }

    @Test func changesKeepTheStructure() throws {
        struct Refused: Error {}
        let before = workflow()
        var after = before
        after.updateMessages { message in
            message.options["seen"] = message.args.elements[0]
        }
        #expect(after != before)
        #expect(after.walkMessages().map { $0.options["seen"]?.intValue } == [0, 1, 2, 3, 4, 5])
        #expect("\(after)" == "\(before)")
        after.updateMessages { $0.options["seen"] = nil }
        #expect(after == before)
        // All or nothing.
        #expect(throws: Refused.self) {
            try after.updateMessages { message throws(Refused) in
                message.options["seen"] = true
                if message.args == [3] { throw Refused() }
            }
        }
        #expect(after == before)
    }

    @Test func depthIsNoMatter() throws {
        var node = nested(1500)
        node.updateMessages { $0.options["seen"] = true }
        #expect(node.walkMessages().map { $0.options["seen"] } == [true])
        #expect(try WorkflowNode(node.jsonValue) == node)
    }

    @Test(arguments: TestSeed.first(1))
    func whatIsWrittenIsReadAgain(seed: TestSeed) throws {
        var random = seed.generator
        func part(_ level: Int) -> WorkflowNode {
            switch Int.random(in: 0..<(level < 5 ? 5 : 1), using: &random) {
            case 1, 2: return .chain((0..<Int.random(in: 0..<4, using: &random)).map { _ in part(level + 1) })
            case 3: return .group((0..<Int.random(in: 0..<4, using: &random)).map { _ in part(level + 1) })
            case 4: return .withDelay(part(level + 1), .milliseconds(Int.random(in: 0..<100_000, using: &random)))
            default: return .message(task.message(.random(in: 0..<100, using: &random)))
            }
        }
        for _ in 0..<200 {
            let node = part(0)
            let value = try node.jsonValue
            #expect(try WorkflowNode(value) == node)
            // Also as text, and twice the same message stays that.
            #expect(try WorkflowNode(JSONValue(parsing: value.description)) == node)
        }
        let message = task.message(1)
        let twice = Chain(message, message).node
        #expect(try WorkflowNode(twice.jsonValue) == twice)
        #expect(try WorkflowNode(workflow().root.jsonValue).walkMessages().count { _ in true } == 6)
    }

    @Test func whatCannotBeEncodedIsSaid() {
        let dated = TaskActor("dated") { (_: Date) in }
        let node = Chain(task.message(1), dated.message(Date(timeIntervalSince1970: 1e15))).node
        let failure = #expect(throws: ArgumentFailure.self) { try node.jsonValue }
        #expect(failure?.actorName == "dated")
    }
}
