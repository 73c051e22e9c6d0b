public import Dramatiq

extension Workflow {
    /// The messages, in the order in which they stand in the definition.
    public func walkMessages() -> WorkflowMessages { root.walkMessages() }

    /// Visits the messages in the order in which they stand in the definition.
    ///
    /// - Throws: what the closure throws; the rest is not visited then.
    public func walkMessages<Failure: Error>(_ visit: (Message) throws(Failure) -> Void) throws(Failure) {
        try root.walkMessages(visit)
    }

    /// Changes the messages, in the order in which they stand in the definition, before the workflow is run.
    ///
    ///     workflow.updateMessages { $0.options["on_failure"] = "tell_support" }
    ///
    /// - Throws: what the closure throws; nothing is changed then.
    public mutating func updateMessages<Failure: Error>(
        _ change: (inout Message) throws(Failure) -> Void
    ) throws(Failure) {
        try root.updateMessages(change)
    }
}
