public import Dramatiq
import Synchronization

/// One node of a workflow: a task, or tasks in sequence, side by side, or delayed.
///
/// ``Chain``, ``Group``, ``WithDelay`` and `Message` make them. See ``content`` for what a node is.
public struct WorkflowNode: Sendable {
    /// What a node is.
    ///
    /// There will be no other: these are the nodes of dramatiq_workflow, and what a message carries of a workflow is
    /// written with them.
    public enum Content: Sendable {
        /// A single task.
        case message(Message)
        /// Tasks that run one after the other.
        case chain([WorkflowNode])
        /// Tasks that run side by side.
        case group([WorkflowNode])
        /// A task that starts later.
        case withDelay(WorkflowNode, Duration)

        fileprivate var children: [WorkflowNode] {
            switch self {
            case .message: []
            case .chain(let children), .group(let children): children
            case .withDelay(let child, _): [child]
            }
        }
    }

    /// Holds a node's content, and frees what is nested in it one by one: doing so from within each other would take a
    /// part of the thread's stack for every level.
    private final class Storage: Sendable {
        private let content: Mutex<Content?>
        private let isMessage: Bool
        /// Under which later steps take its result, if it isn't a message, whose options say so.
        let resultName: String?
        /// What it says besides, if it is a group.
        let traits: GroupTraits?
        /// Whether it is a group that says something, or has one in it.
        let hasTraits: Bool
        /// Whether it has a name, or anything in it has one or takes results. Known from the start, so that nothing of it has
        /// to be looked for in workflows without.
        let usesResults: Bool

        init(_ content: Content, resultName: String? = nil, traits: GroupTraits? = nil) {
            switch content {
            case .message(let message):
                isMessage = true
                usesResults = message.usesResults
                hasTraits = false
            case .chain(let children), .group(let children):
                isMessage = false
                usesResults = resultName != nil || children.contains(where: \.storage.usesResults)
                hasTraits = traits != nil || children.contains(where: \.storage.hasTraits)
            case .withDelay(let child, _):
                isMessage = false
                usesResults = resultName != nil || child.storage.usesResults
                hasTraits = child.storage.hasTraits
            }
            self.resultName = resultName
            self.traits = traits
            self.content = Mutex(content)
        }

        /// The content, which is there until the node is freed.
        var value: Content { content.withLock { $0 } ?? .chain([]) }

        private func takeChildren() -> [WorkflowNode] {
            content.withLock { content in
                defer { content = nil }
                return content?.children ?? []
            }
        }

        deinit {
            if isMessage { return }
            var pending = takeChildren()
            if pending.allSatisfy(\.storage.isMessage) { return }
            while var node = pending.popLast() {
                if !node.storage.isMessage, isKnownUniquelyReferenced(&node.storage) {
                    pending += node.storage.takeChildren()
                }
            }
        }
    }

    private var storage: Storage

    public init(_ content: Content) {
        storage = Storage(content)
    }

    /// - Parameters:
    ///   - resultName: the name under which later steps take its result; a message has its own.
    ///   - traits: what it says besides, if it is a group.
    init(_ content: Content, resultName: String? = nil, traits: GroupTraits?) {
        storage = Storage(content, resultName: resultName, traits: traits)
    }

    /// What the node is.
    public var content: Content { storage.value }

    /// The name under which later steps take its result, if it has one: see ``WorkflowComponent/named(_:)``.
    public var resultName: String? {
        if case .message(let message) = content { return message.resultName }
        return storage.resultName
    }

    /// What it says besides, if it is a group.
    var traits: GroupTraits? { storage.traits }
    /// Whether it is a group that says something besides, or has one in it.
    var hasTraits: Bool { storage.hasTraits }

    /// Whether it has a name, or anything in it has one or takes results.
    var usesResults: Bool { storage.usesResults }

    /// A single task.
    public static func message(_ message: Message) -> WorkflowNode { WorkflowNode(.message(message)) }
    /// Tasks that run one after the other.
    public static func chain(_ children: [WorkflowNode]) -> WorkflowNode { WorkflowNode(.chain(children)) }
    /// Tasks that run side by side.
    public static func group(_ children: [WorkflowNode]) -> WorkflowNode { WorkflowNode(.group(children)) }
    /// A task that starts later.
    public static func withDelay(_ task: WorkflowNode, _ delay: Duration) -> WorkflowNode {
        WorkflowNode(.withDelay(task, delay))
    }

    /// Whether two nodes are the same one in memory.
    fileprivate func isIdentical(to other: WorkflowNode) -> Bool { storage === other.storage }
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
            if left.isIdentical(to: right) { continue }
            guard left.storage.resultName.map({ TextKey($0) }) == right.storage.resultName.map({ TextKey($0) }) else {
                return false
            }
            guard left.traits == right.traits else { return false }
            switch (left.content, right.content) {
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
        func open(_ name: String, _ children: [WorkflowNode], end: String) {
            text += name
            steps.append(.text(end))
            for (index, child) in children.enumerated().reversed() {
                steps.append(.node(child))
                if index > 0 { steps.append(.text(", ")) }
            }
        }
        while let step = steps.popLast() {
            switch step {
            case .text(let part):
                text += part
            case .node(let node):
                let traits = node.traits?.description ?? ""
                let end = traits + (node.resultName.map { ").named(\(JSONValue.string($0)))" } ?? ")")
                switch node.content {
                case .message(let message):
                    text += message.description + end.dropFirst()
                case .withDelay(let child, let delay):
                    text += "WithDelay("
                    steps += [.text(", delay: \(delay)" + end), .node(child)]
                case .chain(let children):
                    open("Chain(", children, end: end)
                case .group(let children):
                    open("Group(", children, end: end)
                }
            }
        }
        return text
    }
}
