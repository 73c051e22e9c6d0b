/// Tasks that run side by side. What comes after the group starts when all of them have succeeded.
public struct Group: WorkflowComponent, Equatable, CustomStringConvertible {
    public var children: [WorkflowNode]

    public init(children: [WorkflowNode]) {
        self.children = children
    }

    /// A group of components.
    public init(_ components: any WorkflowComponent...) {
        children = components.map(\.node)
    }

    /// A group of what the closure lists.
    public init(@WorkflowBuilder _ components: () throws -> [WorkflowNode]) rethrows {
        children = try components()
    }

    public var node: WorkflowNode { .group(children) }
    public var description: String { node.description }
}
