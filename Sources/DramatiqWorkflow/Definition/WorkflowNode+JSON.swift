import Dramatiq

extension WorkflowNode {
    /// The node as it stands in messages, one JSON object; see `JSONNode` for the way back.
    ///
    /// - Throws: `ArgumentFailure` for an argument that can't be encoded.
    package func encoded() throws -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        var identities = MessageIdentities.random
        try Self.write([self], into: &writer, &identities)
        return writer.bytes
    }

    /// Writes nodes separated by commas, without recursion.
    static func write(
        _ nodes: ArraySlice<WorkflowNode>,
        into writer: inout JSONWriter,
        _ identities: inout MessageIdentities
    ) throws {
        enum Step {
            case node(WorkflowNode)
            case comma
            case endOfChildren
            case endOfObject
        }
        func push(_ nodes: ArraySlice<WorkflowNode>, _ steps: inout [Step]) {
            for (index, node) in nodes.enumerated().reversed() {
                steps.append(.node(node))
                if index > 0 { steps.append(.comma) }
            }
        }
        var checkedQueue = ""
        var steps: [Step] = []
        push(nodes, &steps)
        while let step = steps.popLast() {
            switch step {
            case .comma: writer.append(UInt8(ascii: ","))
            case .endOfChildren: writer.append("]}")
            case .endOfObject: writer.append(UInt8(ascii: "}"))
            case .node(.message(let message)):
                if let failure = message.argumentFailure { throw failure }
                if message.queueName != checkedQueue {
                    try QueueName.check(message.queueName)
                    checkedQueue = message.queueName
                }
                writer.append("{\"__type__\":\"message\",")
                writer.writeFields(identities.distinct(message))
                writer.append(UInt8(ascii: "}"))
            case .node(.chain(let children)):
                writer.append("{\"__type__\":\"chain\",\"children\":[")
                steps.append(.endOfChildren)
                push(children[...], &steps)
            case .node(.group(let children)):
                writer.append("{\"__type__\":\"group\",\"children\":[")
                steps.append(.endOfChildren)
                push(children[...], &steps)
            case .node(.withDelay(let child, let delay)):
                writer.append("{\"__type__\":\"with_delay\",\"delay\":")
                writer.write(delay.milliseconds)
                writer.append(",\"task\":")
                steps += [.endOfObject, .node(child)]
            }
        }
    }
}
