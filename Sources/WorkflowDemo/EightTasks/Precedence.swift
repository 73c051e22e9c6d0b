import Dramatiq
import DramatiqWorkflow

/// What a workflow's definition says about the order of its tasks, by the names of their actors.
struct Precedence {
    /// For every task those that must have ended before it starts; only the nearest ones.
    private(set) var predecessors: [String: Set<String>] = [:]
    /// The tasks in the order in which they stand in the definition.
    private(set) var names: [String] = []

    init(of root: WorkflowNode) {
        _ = add(root, after: [])
    }

    /// Adds a node that starts after some tasks. Returns those that it ends with.
    private mutating func add(_ node: WorkflowNode, after earlier: Set<String>) -> Set<String> {
        switch node.content {
        case .message(let message):
            names.append(message.actorName)
            predecessors[message.actorName, default: []].formUnion(earlier)
            return [message.actorName]
        case .chain(let children):
            return children.reduce(earlier) { add($1, after: $0) }
        case .group(let children):
            let last = children.reduce(into: Set()) { $0.formUnion(add($1, after: earlier)) }
            return last.isEmpty ? earlier : last
        case .withDelay(let child, _):
            return add(child, after: earlier)
        }
    }
}
