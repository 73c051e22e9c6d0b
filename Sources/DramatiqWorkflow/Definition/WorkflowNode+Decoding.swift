public import Dramatiq

extension WorkflowNode {
    /// Reads a definition from JSON, in the form in which messages carry it and ``jsonValue`` writes it.
    ///
    /// - Throws: ``WorkflowError/Code/invalidNode``, ``WorkflowError/Code/invalidFailurePolicy``,
    ///   ``WorkflowError/Code/invalidRunCallbacks``, or `DecodeError` for a message.
    public init(_ value: JSONValue) throws {
        /// A chain or group that is being read, or a delay that waits for its task.
        struct Open {
            enum Kind {
                case chain, group
                case delay(Int)
            }

            let kind: Kind
            let name: String?
            var traits: GroupTraits?
            var rest: JSONArray
            var children: [WorkflowNode] = []

            var node: WorkflowNode? {
                let content: Content? =
                    switch kind {
                    case .chain: .chain(children)
                    case .group: .group(children)
                    case .delay(let milliseconds): children.first.map { .withDelay($0, .milliseconds(milliseconds)) }
                    }
                return content.map { WorkflowNode($0, resultName: name, traits: traits) }
            }
        }
        // A stack of its own, since the text can be nested deeper than the thread's stack allows.
        var stack: [Open] = []
        var next: JSONValue? = value
        var finished: WorkflowNode?
        while true {
            if let current = next {
                next = nil
                switch try JSONNode(current) {
                case .message(let message): finished = .message(message)
                case .chain(let children):
                    stack.append(Open(kind: .chain, name: try JSONNode.name(of: current), rest: children))
                case .group(let children, let traits):
                    stack.append(
                        Open(kind: .group, name: try JSONNode.name(of: current), traits: traits, rest: children))
                case .withDelay(let task, let delay):
                    stack.append(
                        Open(kind: .delay(delay), name: try JSONNode.name(of: current), rest: JSONArray([task])))
                }
            }
            if let node = finished {
                finished = nil
                guard !stack.isEmpty else {
                    self = node
                    return
                }
                stack[stack.count - 1].children.append(node)
            }
            guard var open = stack.popLast() else { continue }
            if let (first, rest) = open.rest.splittingFirst() {
                open.rest = rest
                next = first
                stack.append(open)
            } else {
                finished = open.node
            }
        }
    }
}
