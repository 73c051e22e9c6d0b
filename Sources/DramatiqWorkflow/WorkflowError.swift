public import Dramatiq

/// Why a workflow can't be started or go on.
public enum WorkflowError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The broker has no ``WorkflowMiddleware``.
    case middlewareMissing
    /// Not a node of a workflow: what is wrong, and with which part.
    case invalidNode(reason: String, excerpt: String)
    /// A message's `workflow_completion_callbacks` are not what the storage understands.
    case invalidCallbacks(reason: String)
    /// A message's callbacks were stored by a storage that this program's ``WorkflowMiddleware`` has not, or by a later
    /// version of it.
    case foreignReference(storage: String, version: Int)
    /// A `workflow_on_failure` option that means nothing.
    case invalidFailurePolicy(String)

    public var description: String {
        switch self {
        case .middlewareMissing:
            "The broker has no WorkflowMiddleware, which workflows need. Add it when you make the broker: "
                + "Broker(…, middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: …)])"
        case .invalidNode(let reason, let excerpt):
            "Not a workflow: \(reason), in \(excerpt)"
        case .invalidCallbacks(let reason):
            "The option workflow_completion_callbacks can't be understood: \(reason)"
        case .foreignReference(let storage, let version):
            "The message's workflow was stored by the callback storage '\(storage)' (version \(version)), which this "
                + "program can't read. Add it: WorkflowMiddleware(…, callbackStorage: new.reading(old))"
        case .invalidFailurePolicy(let value):
            "The option workflow_on_failure can't be \(value): use \"halt\", \"proceed\" or {\"notify\": \"actor\"}"
        }
    }
}

extension WorkflowError: PermanentError {}
