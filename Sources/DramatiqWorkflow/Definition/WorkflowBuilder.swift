/// Collects the components of a ``Chain``, a ``Group`` or a ``Workflow``, with `if`, `for` and optionals.
@resultBuilder
public enum WorkflowBuilder {
    public static func buildExpression(_ component: any WorkflowComponent) -> [WorkflowNode] {
        [component.node]
    }

    public static func buildExpression(_ component: (any WorkflowComponent)?) -> [WorkflowNode] {
        component.map { [$0.node] } ?? []
    }

    public static func buildExpression(_ components: some Sequence<some WorkflowComponent>) -> [WorkflowNode] {
        components.map(\.node)
    }

    public static func buildExpression(_ components: some Sequence<any WorkflowComponent>) -> [WorkflowNode] {
        components.map(\.node)
    }

    public static func buildBlock(_ parts: [WorkflowNode]...) -> [WorkflowNode] { parts.flatMap(\.self) }
    public static func buildPartialBlock(first: [WorkflowNode]) -> [WorkflowNode] { first }

    public static func buildPartialBlock(accumulated: [WorkflowNode], next: [WorkflowNode]) -> [WorkflowNode] {
        accumulated + next
    }

    public static func buildOptional(_ part: [WorkflowNode]?) -> [WorkflowNode] { part ?? [] }
    public static func buildEither(first part: [WorkflowNode]) -> [WorkflowNode] { part }
    public static func buildEither(second part: [WorkflowNode]) -> [WorkflowNode] { part }
    public static func buildArray(_ parts: [[WorkflowNode]]) -> [WorkflowNode] { parts.flatMap(\.self) }
    public static func buildLimitedAvailability(_ part: [WorkflowNode]) -> [WorkflowNode] { part }
}
