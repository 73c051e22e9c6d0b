public import Dramatiq

/// One node of a workflow: a task, or tasks in sequence, side by side, or delayed.
///
/// ``Chain``, ``Group``, ``WithDelay`` and `Message` make them.
public indirect enum WorkflowNode: Sendable {
    /// A single task.
    case message(Message)
    /// Tasks that run one after the other.
    case chain([WorkflowNode])
    /// Tasks that run side by side.
    case group([WorkflowNode])
    /// A task that starts later.
    case withDelay(WorkflowNode, Duration)
}

/// What can stand in a workflow: a `Message`, a ``Chain``, a ``Group`` or ``WithDelay``.
public protocol WorkflowComponent: Sendable {
    /// The node that it stands for.
    var node: WorkflowNode { get }
}

extension WorkflowNode: WorkflowComponent {
    public var node: WorkflowNode { self }
}

extension Message: WorkflowComponent {
    public var node: WorkflowNode { .message(self) }
}

extension WorkflowNode: Equatable {
    /// Whether two nodes hold the same: the same structure, messages and delays.
    public static func == (left: WorkflowNode, right: WorkflowNode) -> Bool {
        // A stack of its own, since nesting can be deeper than the thread's.
        var pairs = [(left, right)]
        while let (left, right) = pairs.popLast() {
            switch (left, right) {
            case (.message(let left), .message(let right)):
                guard left == right else { return false }
            case (.chain(let left), .chain(let right)), (.group(let left), .group(let right)):
                guard left.count == right.count else { return false }
                pairs.append(contentsOf: zip(left, right).reversed())
            case (.withDelay(let left, let leftDelay), .withDelay(let right, let rightDelay)):
                guard leftDelay == rightDelay else { return false }
                pairs.append((left, right))
            default:
                return false
            }
        }
        return true
    }
}

extension WorkflowNode: CustomStringConvertible {
    /// The definition as one writes it: `Chain(a(), Group(b(1), c(2)))`.
    public var description: String {
        enum Step {
            case node(WorkflowNode)
            case text(String)
        }
        var text = ""
        var steps = [Step.node(self)]
        while let step = steps.popLast() {
            switch step {
            case .text(let part):
                text += part
            case .node(.message(let message)):
                text += message.description
            case .node(.withDelay(let child, let delay)):
                text += "WithDelay("
                steps += [.text(", delay: \(delay))"), .node(child)]
            case .node(.chain(let children)), .node(.group(let children)):
                if case .node(.chain) = step { text += "Chain(" } else { text += "Group(" }
                steps.append(.text(")"))
                for (index, child) in children.enumerated().reversed() {
                    steps.append(.node(child))
                    if index > 0 { steps.append(.text(", ")) }
                }
            }
        }
        return text
    }
}
