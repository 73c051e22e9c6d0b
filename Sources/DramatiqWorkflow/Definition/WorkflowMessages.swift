public import Dramatiq

/// The messages of a workflow, in the order in which they stand in the definition.
public struct WorkflowMessages: Sequence, Sendable {
    fileprivate let root: WorkflowNode

    public struct Iterator: IteratorProtocol {
        /// What is to be visited, the next one last. Definitions can be nested deeper than the thread's stack allows.
        fileprivate var nodes: [WorkflowNode]

        public mutating func next() -> Message? {
            while let node = nodes.popLast() {
                switch node.content {
                case .message(let message): return message
                case .chain(let children), .group(let children): nodes.append(contentsOf: children.reversed())
                case .withDelay(let child, _): nodes.append(child)
                }
            }
            return nil
        }
    }

    public func makeIterator() -> Iterator { Iterator(nodes: [root]) }
}

extension WorkflowNode {
    /// The messages, in the order in which they stand in the definition.
    public func walkMessages() -> WorkflowMessages { WorkflowMessages(root: self) }

    /// Visits the messages in the order in which they stand in the definition.
    ///
    /// - Throws: what the closure throws; the rest is not visited then.
    public func walkMessages<Failure: Error>(_ visit: (Message) throws(Failure) -> Void) throws(Failure) {
        for message in walkMessages() { try visit(message) }
    }

    /// Changes the messages, in the order in which they stand in the definition.
    ///
    ///     workflow.root.updateMessages { $0.options["on_failure"] = "tell_support" }
    ///
    /// - Throws: what the closure throws; nothing is changed then.
    public mutating func updateMessages<Failure: Error>(
        _ change: (inout Message) throws(Failure) -> Void
    ) throws(Failure) {
        self = try rebuilt { node throws(Failure) in
            guard case .message(var message) = node.content else { return (node, isDone: false) }
            try change(&message)
            return (.message(message), isDone: true)
        }
    }

    /// The same with other parts, without recursion.
    ///
    /// - Parameter change: what takes a part's place, and whether it is done; otherwise its children are next.
    /// - Throws: what the closure throws.
    func rebuilt<Failure: Error>(
        _ change: (WorkflowNode) throws(Failure) -> (WorkflowNode, isDone: Bool)
    ) throws(Failure) -> WorkflowNode {
        var open: [OpenPart] = []
        var next = self
        while true {
            var finished: WorkflowNode?
            let (node, isDone) = try change(next)
            if isDone { finished = node } else { open.append(OpenPart(node)) }
            while true {
                guard var parent = open.popLast() else { return finished ?? node }
                if let child = finished { parent.changed.append(child) }
                if let child = parent.rest.popFirst() {
                    next = child
                    open.append(parent)
                    break
                }
                finished = parent.finished
            }
        }
    }
}

extension Message {
    /// The actor under which a run counts the message. A pipeline is one task, that of its last message.
    var taskActorName: String {
        guard isPiped, let last = Pipeline(self).messages.last else { return actorName }
        return last.actorName
    }
}

/// A part whose children are being gone through.
private struct OpenPart {
    let node: WorkflowNode
    var rest: ArraySlice<WorkflowNode>
    var changed: [WorkflowNode] = []

    init(_ node: WorkflowNode) {
        self.node = node
        switch node.content {
        case .message: rest = []
        case .chain(let children), .group(let children): rest = children[...]
        case .withDelay(let child, _): rest = [child]
        }
    }

    /// The part with its changed children.
    var finished: WorkflowNode {
        switch node.content {
        case .message: node
        case .chain: WorkflowNode(.chain(changed), resultName: node.resultName, traits: nil)
        case .group: WorkflowNode(.group(changed), resultName: node.resultName, traits: node.traits)
        case .withDelay(_, let delay):
            WorkflowNode(.withDelay(changed[0], delay), resultName: node.resultName, traits: nil)
        }
    }
}
