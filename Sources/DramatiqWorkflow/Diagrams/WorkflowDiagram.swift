import Dramatiq

/// A drawing of a workflow: its tasks, which of them run one after the other, and which side by side.
///
///     print(workflow.diagram())
///
///     chain
///     ├─ fetch
///     ├─ group
///     │  ├─ resize × 1000
///     │  └─ chain × 20
///     │     ├─ crop
///     │     └─ sharpen
///     └─ publish
///
/// Alike members of a group are drawn once, with their number, and so are alike steps in a row; what they get as arguments
/// makes no difference. Of what is large the outer parts are drawn, and the rest is counted. A pipeline is one task, that of
/// its last message.
public struct WorkflowDiagram: Sendable, Hashable {
    /// How many nodes are drawn at most, unless said otherwise: 200. What stands for others is not counted.
    public static let defaultMaxNodes = 200
    /// How deep nodes are nested at most; what is deeper is counted.
    static let maxDepth = 24

    /// One part of the drawing.
    public struct Node: Sendable, Hashable {
        /// What a node is. There will be no other, as in ``WorkflowNode/Content``.
        public enum Content: Sendable, Hashable {
            case task(actorName: String)
            /// The nodes below it run one after the other.
            case chain
            /// The nodes below it run side by side.
            case group
            /// What is not drawn of the part that it stands in.
            case more(parts: Int)
        }

        public let content: Content
        /// How deep it lies: 0 for the workflow as a whole, and one more for what stands in it.
        public let depth: Int
        /// How many alike it stands for, side by side in a group, and one after the other in a chain.
        public let count: Int
        /// How many tasks that are altogether.
        public let taskCount: Int
        /// How long it waits at least; `nil` if it isn't delayed.
        public let delay: Duration?
        /// The name under which later steps take its result.
        public let resultName: String?
        /// The results that it takes.
        public let takes: [WorkflowResult]
        /// How far it is; `nil` in the drawing of a definition, and where nothing is known.
        public internal(set) var state: NodeState?

        var isContainer: Bool { content == .chain || content == .group }
    }

    /// How a drawing is written.
    public struct Format: Sendable, Hashable {
        enum Kind {
            case text, ascii, mermaid, dot
        }

        let kind: Kind

        /// Lines for a person to read, one for each node.
        public static let text = Format(kind: .text)
        /// The same without other characters than those of ASCII, but for those in names.
        public static let ascii = Format(kind: .ascii)
        /// A flowchart for Mermaid.
        public static let mermaid = Format(kind: .mermaid)
        /// A graph for Graphviz.
        public static let dot = Format(kind: .dot)
    }

    /// The parts, each followed by what stands in it; none for an empty workflow.
    public internal(set) var nodes: [Node]

    init(nodes: [Node]) {
        self.nodes = nodes
    }

    /// Draws a definition.
    ///
    /// - Parameters:
    ///   - root: the definition, such as ``Workflow/root``.
    ///   - maxNodes: how many nodes are drawn at most. Defaults to 200.
    public init(_ root: WorkflowNode, maxNodes: Int = defaultMaxNodes) {
        nodes = WorkflowShapes(of: root).nodes(limit: maxNodes)
    }

    /// The drawing as text. Names can't break out of it, whoever chose them: what would change a terminal's state, or means
    /// something to Mermaid or Graphviz, is escaped, and what is long is cut.
    public func rendered(as format: Format = .text) -> String {
        switch format.kind {
        case .text: lines(.unicode).joined(separator: "\n")
        case .ascii: lines(.ascii).joined(separator: "\n")
        case .mermaid: DiagramFlow(self).mermaid
        case .dot: DiagramFlow(self).dot
        }
    }
}

extension WorkflowDiagram: CustomStringConvertible {
    public var description: String { rendered() }
}
