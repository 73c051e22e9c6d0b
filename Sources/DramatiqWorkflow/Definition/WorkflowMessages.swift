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
        var open: [OpenPart] = []
        var next: WorkflowNode? = self
        while let node = next {
            next = nil
            var finished: WorkflowNode?
            switch node.content {
            case .message(var message):
                try change(&message)
                finished = .message(message)
            case .chain(let children), .group(let children):
                open.append(OpenPart(node: node, rest: children[...]))
            case .withDelay(let child, _):
                open.append(OpenPart(node: node, rest: [child]))
            }
            while next == nil {
                guard var parent = open.popLast() else {
                    if let finished { self = finished }
                    return
                }
                if let child = finished { parent.changed.append(child) }
                if let child = parent.rest.popFirst() {
                    next = child
                    open.append(parent)
                } else {
                    finished = parent.finished
                }
            }
        }
    }
}

/// A part whose children are being gone through.
private struct OpenPart {
    let node: WorkflowNode
    var rest: ArraySlice<WorkflowNode>
    var changed: [WorkflowNode] = []

    /// The part with its changed children.
    var finished: WorkflowNode {
        switch node.content {
        case .message: node
        case .chain: WorkflowNode(.chain(changed), resultName: node.resultName)
        case .group: WorkflowNode(.group(changed), resultName: node.resultName)
        case .withDelay(_, let delay): WorkflowNode(.withDelay(changed[0], delay), resultName: node.resultName)
        }
    }
}
