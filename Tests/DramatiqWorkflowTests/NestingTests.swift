import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// Definitions that are nested so deep that nobody could read them again.
@Suite(.timeLimit(.minutes(10))) struct NestingTests {
    private static let wrappings: [@Sendable (WorkflowNode) -> WorkflowNode] = [
        { .chain([$0]) }, { .group([$0]) }, { .withDelay($0, .zero) }, { Chain($0, Group()).node },
        { Group(Chain(), WithDelay($0, delay: .seconds(1))).node },
    ]

    private static func message(_ args: JSONArray = []) -> Message {
        Message(queueName: "default", actorName: "task", args: args)
    }

    @Test(arguments: wrappings.indices)
    func aDeepDefinitionIsBuiltWrittenComparedAndFreed(index: Int) async throws {
        try await onASmallStack {
            let message = Self.message(["x"])
            func build() -> WorkflowNode {
                (0..<20_000).reduce(.message(message)) { node, _ in Self.wrappings[index](node) }
            }
            let node = build()
            #expect(node == build())
            #expect(node.description.contains("task(\"x\")"))
            let text = try node.jsonValue.encoded()
            let shorter = (0..<1_000).reduce(WorkflowNode.message(message)) { node, _ in Self.wrappings[index](node) }
            #expect(try WorkflowNode(JSONValue(parsing: shorter.jsonValue.encoded())) == shorter)
            var count = 0
            node.walkMessages { _ in count += 1 }
            #expect(count == 1)
            let workflow = Workflow(node, broker: Broker(transport: InMemoryTransport()))
            #expect("\(workflow)".hasPrefix("Workflow("))
            // A part that somebody else holds is not freed with the rest.
            var inner = node
            for _ in 0..<100 {
                guard case .chain(let children) = inner.content else { break }
                inner = children[0]
            }
            let outer = WorkflowNode.chain([node])
            #expect(outer != node)
            #expect(try inner.jsonValue.encoded().count <= text.count)
        }
    }

    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func whatNoReaderTakesIsRefusedWhenItStarts(fidelity: InMemoryTransport.Fidelity) async throws {
        let stage = try await Stage(fidelity: fidelity)
        let m = stage.task.message
        func deep(_ levels: Int) -> Message {
            Message(
                queueName: "default", actorName: "task",
                args: [(0..<levels).reduce("x") { value, _ in [value] }])
        }
        // Where the arguments stand: options, callbacks, an entry, the chain, its children, the message, its arguments.
        let limit = JSONMessageEncoder.defaultMaxDepth - 8
        let cases: [(WorkflowNode, Bool)] = [
            (Chain(m("a"), deep(limit)).node, true),
            (Chain(m("a"), deep(limit + 1)).node, false),
            (Chain(m("a"), Group(deep(limit - 2))).node, true),
            (Chain(m("a"), Group(deep(limit - 1))).node, false),
            (Chain(Group(m("a"), m("b")), WithDelay(deep(limit), delay: .zero)).node, false),
            (Chain(m("a").piped(into: m("b"), ignoringResult: true), deep(limit - 2)).node, true),
            (Chain(m("a").piped(into: m("b"), ignoringResult: true), deep(limit - 1)).node, false),
            (Chain(m("a"), (0..<20_000).reduce(m("b").node) { node, _ in .group([node]) }).node, false),
            (Chain(m("a"), (0..<20_000).reduce(m("b").node) { node, _ in .withDelay(node, .zero) }).node, false),
        ]
        for (index, (workflow, isStarted)) in cases.enumerated() {
            let start = { try await Workflow(workflow, broker: stage.broker).run() }
            if isStarted {
                _ = try await start()
            } else {
                await #expect(throws: EncodeError.self, "case \(index)") { try await start() }
            }
        }
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 3)
        // What was started comes to its end: no step nests anything deeper.
        let ends = Recorder<JSONArray>()
        try await withWorker(stage.worker) {
            try await eventually { stage.transport.deadLetters().count == 3 }
        }
        for letter in stage.transport.deadLetters() { ends.add(try letter.message().args) }
        // The actor takes text; that it was asked with the deep argument shows that the message arrived.
        #expect(ends.values.allSatisfy { $0.elements.first?.arrayValue != nil })
    }

    @Test(arguments: [20_000])
    func groupsThatStartAtOnceNeedNoReader(levels: Int) async throws {
        let stage = try await Stage(fidelity: .values)
        let node = (0..<levels).reduce(WorkflowNode.group([])) { node, _ in .group([node]) }
        try await Workflow(node, broker: stage.broker).run()
        // Nothing is left to be done, so nothing was made.
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 0)
        #expect(stage.backend.keyCount == 0)
    }
}
