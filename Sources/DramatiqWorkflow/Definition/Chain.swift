/// Tasks that run one after the other: each starts when everything before it has succeeded.
public struct Chain: WorkflowComponent, Equatable, CustomStringConvertible {
    public var children: [WorkflowNode]

    public init(children: [WorkflowNode]) {
        self.children = children
    }

    /// A chain of components.
    public init(_ components: any WorkflowComponent...) {
        children = components.map(\.node)
    }

    /// A chain of what the closure lists.
    public init(@WorkflowBuilder _ components: () throws -> [WorkflowNode]) rethrows {
        children = try components()
    }

    public var node: WorkflowNode { .chain(children) }
    public var description: String { node.description }
}
