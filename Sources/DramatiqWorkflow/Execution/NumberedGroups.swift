import Dramatiq

/// The groups of a definition whose callbacks its run keeps, as it is started.
///
/// What is sent of the definition has a number in the place of a group's callbacks, so that messages don't carry them.
struct NumberedGroups {
    /// The definition with numbers.
    private(set) var root: WorkflowNode
    /// The callbacks, by the numbers.
    private(set) var callbacks: [[Message?]] = []
    /// The first policy of a group.
    private(set) var firstPolicy: WorkflowFailurePolicy?
    /// Whether a group goes on without some of its members.
    private(set) var collects = false

    /// - Throws: ``WorkflowError/Code/invalidFailurePolicy``.
    init(_ definition: WorkflowNode) throws(WorkflowError) {
        root = definition
        if !definition.hasTraits { return }
        root = try definition.rebuilt { node throws(WorkflowError) in
            guard case .group(let children) = node.content, let traits = node.traits else {
                return (node, isDone: !node.hasTraits)
            }
            let numbered = try number(traits, count: children.count)
            return (WorkflowNode(.group(children), resultName: node.resultName, traits: numbered), isDone: false)
        }
    }

    private mutating func number(_ traits: GroupTraits, count: Int) throws(WorkflowError) -> GroupTraits {
        if let policy = traits.policy {
            if policy.address != nil { throw .untrackedPolicy(policy) }
            if case .collect(let minimum) = policy.kind {
                guard 0...count ~= minimum else { throw .unreachableMinimum(minimum, count: count) }
                collects = true
            }
            firstPolicy = firstPolicy ?? policy
        }
        if !traits.hasCallbacks { return traits }
        callbacks.append(traits.callbacks)
        return GroupTraits(policy: traits.policy, number: callbacks.count - 1)
    }
}
