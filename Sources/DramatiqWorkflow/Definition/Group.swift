public import Dramatiq

/// Tasks that run side by side. What comes after the group starts when all of them have succeeded, or as many as its policy
/// says.
public struct Group: WorkflowComponent, Equatable, CustomStringConvertible {
    public var children: [WorkflowNode]
    /// What becomes of it when a task in it fails for good or is skipped, if neither the task's message nor its actor nor a
    /// group inside says so; `nil` for what is around it. It is for runs that are tracked, and
    /// ``WorkflowFailurePolicy/notify(_:queue:)`` is none for a group.
    ///
    /// A group that a worker of Python starts has none: what is around it decides.
    public var failurePolicy: WorkflowFailurePolicy?
    /// Sent once the group has succeeded, in the commit of its last task. In an empty group, a task that does nothing takes its
    /// place.
    ///
    /// The callbacks carry a ``RunReport`` with the failures in the group: see `Message.runReport`. They are for runs that are
    /// tracked, and together with those of the workflow take 64 KiB at most. Nobody sends them if a worker of Python starts
    /// the group or runs its last task, or if the run is cancelled.
    public var onSuccess: Message?
    /// Sent when the group has failed: with the run when that fails fast, or since too few members have succeeded; once more if
    /// it is retried and fails again.
    public var onFailure: Message?
    /// Sent in both cases.
    public var onEnd: Message?

    /// A group of nodes.
    public init(
        children: [WorkflowNode],
        failurePolicy: WorkflowFailurePolicy? = nil,
        onSuccess: Message? = nil,
        onFailure: Message? = nil,
        onEnd: Message? = nil
    ) {
        self.children = children
        self.failurePolicy = failurePolicy
        (self.onSuccess, self.onFailure, self.onEnd) = (onSuccess, onFailure, onEnd)
    }

    /// A group of components.
    public init(
        _ components: any WorkflowComponent...,
        failurePolicy: WorkflowFailurePolicy? = nil,
        onSuccess: Message? = nil,
        onFailure: Message? = nil,
        onEnd: Message? = nil
    ) {
        self.init(
            children: components.map(\.node), failurePolicy: failurePolicy, onSuccess: onSuccess, onFailure: onFailure,
            onEnd: onEnd)
    }

    /// A group of what the closure lists.
    public init(
        failurePolicy: WorkflowFailurePolicy? = nil,
        onSuccess: Message? = nil,
        onFailure: Message? = nil,
        onEnd: Message? = nil,
        @WorkflowBuilder _ components: () throws -> [WorkflowNode]
    ) rethrows {
        self.init(
            children: try components(), failurePolicy: failurePolicy, onSuccess: onSuccess, onFailure: onFailure,
            onEnd: onEnd)
    }

    public var node: WorkflowNode {
        let traits = GroupTraits(policy: failurePolicy, onSuccess: onSuccess, onFailure: onFailure, onEnd: onEnd)
        return WorkflowNode(.group(children), traits: traits.isEmpty ? nil : traits)
    }
    public var description: String { node.description }
}
