import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

@Suite struct DefinitionTests {
    private let broker = Broker(transport: InMemoryTransport())
    private let task = TaskActor("task") { (_: Int) in }

    @Test func buildersAndInitialisersMakeTheSame() {
        let messages = (0..<8).map { task.message($0) }
        let isSet = true
        let nothing: Message? = nil
        let built = Workflow(broker: broker) {
            Chain {
                messages[0]
                Group {
                    Chain {
                        messages[1]
                        messages[2]
                    }
                    for message in messages[3...4] { message }
                    if isSet { messages[5] } else { messages[0] }
                    nothing
                    if !isSet { messages[0] }
                }
                WithDelay(.seconds(2)) { messages[6] }
                messages[7]
            }
        }
        let written = Workflow(
            Chain(
                messages[0],
                Group(Chain(messages[1], messages[2]), messages[3], messages[4], messages[5]),
                WithDelay(messages[6], delay: .seconds(2)),
                messages[7]),
            broker: broker)
        #expect(built == written)
        #expect(
            "\(written)"
                == "Workflow(Chain(task(0), Group(Chain(task(1), task(2)), task(3), task(4), task(5)), "
                + "WithDelay(task(6), delay: 2.0 seconds), task(7)))")
        var ids: [String] = []
        built.walkMessages { ids.append($0.messageID) }
        #expect(ids == messages.map(\.messageID))
    }

    @Test func severalComponentsRunOneAfterTheOther() {
        let isSet = true
        let (one, two) = (task.message(1), task.message(2))
        #expect(Workflow(one, two, broker: broker) == Workflow(Chain(one, two), broker: broker))
        #expect(Workflow(one, broker: broker).root == .message(one))
        #expect(Workflow(broker: broker) {}.root == .chain([]))
        let delayed = WithDelay(.seconds(1)) {
            one
            if isSet { two }
        }
        #expect(delayed == WithDelay(Chain(one, two), delay: .seconds(1)))
    }

    @Test func whatDiffersIsNotEqual() {
        let (one, two) = (task.message(1), task.message(2))
        let nodes: [any WorkflowComponent] = [
            one, two, Chain(one), Group(one), Chain(one, two), Chain(two, one), Chain(), Group(),
            WithDelay(one, delay: .seconds(1)), WithDelay(one, delay: .seconds(2)), Chain(Chain(one)),
        ]
        for (left, first) in nodes.enumerated() {
            for (right, second) in nodes.enumerated() {
                #expect((first.node == second.node) == (left == right))
            }
        }
    }

    @Test func nodesAreWrittenAsPythonWritesThem() throws {
        func message(_ id: String) -> Message {
            Message(
                queueName: "q", actorName: "a", args: [1], messageID: id, messageTimestamp: .init(milliseconds: 5))
        }
        let fields =
            #""queue_name":"q","actor_name":"a","args":[1],"kwargs":{},"options":{},"message_id":"X","message_timestamp":5"#
        func node(_ id: String) -> String {
            #"{"__type__":"message","# + fields.replacing("X", with: id) + "}"
        }
        let chain = Chain(
            message("1"), Group(message("2"), WithDelay(message("3"), delay: .milliseconds(1500))), Chain(), Group())
        let expected =
            #"{"__type__":"chain","children":["# + node("1") + #",{"__type__":"group","children":["# + node("2")
            + #",{"__type__":"with_delay","delay":1500,"task":"# + node("3")
            + #"}]},{"__type__":"chain","children":[]},{"__type__":"group","children":[]}]}"#
        #expect(String(decoding: try chain.node.jsonValue.encoded(), as: UTF8.self) == expected)
    }

    @Test func deepNestingIsNoMatter() throws {
        var node = WorkflowNode.message(task.message(0))
        for level in 0..<1000 {
            node = level % 3 == 0 ? .group([node]) : level % 3 == 1 ? .chain([node]) : .withDelay(node, .zero)
        }
        #expect(node == node)
        var count = 0
        node.walkMessages { _ in count += 1 }
        #expect(count == 1)
        #expect(node.description.hasSuffix(String(repeating: ")", count: 500)) == false)
        let value = try JSONValue(parsing: node.jsonValue.encoded())
        #expect(value.objectValue != nil)
    }
}
