extension Workflow {
    /// The workflow's drawing as text: see ``WorkflowDiagram``.
    public func diagram(_ format: WorkflowDiagram.Format = .text) -> String {
        WorkflowDiagram(root).rendered(as: format)
    }
}
