public import Dramatiq

extension WorkflowNode {
    /// The definition as JSON, in the form in which messages carry it and ``init(_:)-(JSONValue)`` reads it. Delays are whole
    /// milliseconds.
    ///
    /// - Throws: `ArgumentFailure` for a message with an argument that can't be encoded.
    public var jsonValue: JSONValue {
        get throws {
            var writer = JSONWriter(capacity: 512)
            try Self.write([self], into: &writer) { $0 }
            // Not parsed: it may be nested deeper than what is read from others.
            let text = writer.bytes.dropFirst().dropLast()
            return .object(JSONObject(validatedText: text))
        }
    }

    /// Writes nodes separated by commas, without recursion.
    ///
    /// - Parameter distinct: gives a message the id under which it is written.
    static func write(
        _ nodes: ArraySlice<WorkflowNode>,
        into writer: inout JSONWriter,
        _ distinct: (Message) -> Message
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
        func open(_ type: StaticString, _ node: WorkflowNode, _ writer: inout JSONWriter) {
            writer.append("{\"__type__\":\"")
            writer.append(type)
            guard let name = node.resultName else { return writer.append("\",") }
            writer.append("\",\"name\":")
            writer.write(.string(name))
            writer.append(UInt8(ascii: ","))
        }
        var checkedQueue = ""
        var steps: [Step] = []
        push(nodes, &steps)
        while let step = steps.popLast() {
            switch step {
            case .comma: writer.append(UInt8(ascii: ","))
            case .endOfChildren: writer.append("]}")
            case .endOfObject: writer.append(UInt8(ascii: "}"))
            case .node(let node):
                switch node.content {
                case .message(let message):
                    if let failure = message.argumentFailure { throw failure }
                    if !message.queueName.hasSameBytes(as: checkedQueue) {
                        try QueueName.check(message.queueName)
                        checkedQueue = message.queueName
                    }
                    writer.append("{\"__type__\":\"message\",")
                    writer.writeFields(distinct(message))
                    writer.append(UInt8(ascii: "}"))
                case .chain(let children):
                    open("chain", node, &writer)
                    writer.append("\"children\":[")
                    steps.append(.endOfChildren)
                    push(children[...], &steps)
                case .group(let children):
                    open("group", node, &writer)
                    try node.traits?.write(into: &writer)
                    writer.append("\"children\":[")
                    steps.append(.endOfChildren)
                    push(children[...], &steps)
                case .withDelay(let child, let delay):
                    open("with_delay", node, &writer)
                    writer.append("\"delay\":")
                    writer.write(delay.milliseconds)
                    writer.append(",\"task\":")
                    steps += [.endOfObject, .node(child)]
                }
            }
        }
    }
}
