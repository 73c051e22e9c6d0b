/// A task that starts later.
///
/// A delay applies to everything that its task starts at once: the first of a chain, all of a group. Delays that are
/// nested in each other add up. On the wire they are milliseconds.
public struct WithDelay: WorkflowComponent, Equatable, CustomStringConvertible {
    public var task: WorkflowNode
    /// How long the task waits at least, from the moment when it could have started.
    public var delay: Duration

    public init(_ task: any WorkflowComponent, delay: Duration) {
        self.task = task.node
        self.delay = delay
    }

    /// Delays what the closure lists; of several components, the first is delayed and they run one after the other.
    public init(_ delay: Duration, @WorkflowBuilder _ components: () throws -> [WorkflowNode]) rethrows {
        let nodes = try components()
        task = nodes.count == 1 ? nodes[0] : .chain(nodes)
        self.delay = delay
    }

    public var node: WorkflowNode { .withDelay(task, delay) }
    public var description: String { node.description }
}
