import Dramatiq

/// What happens when a part of a workflow is complete: an entry of a message's callbacks.
public struct CompletionCallback: Sendable {
    /// The barrier that counts the part's tasks. That of a whole run ends with `RunStep.idSuffix`.
    public let completionID: String
    /// What runs once the barrier opens; `nil` if nothing does.
    public let remaining: RemainingWorkflow?
    /// Whether the next outer entry is looked at, too.
    public let propagates: Bool

    public init(completionID: String, remaining: RemainingWorkflow?, propagates: Bool) {
        self.completionID = completionID
        self.remaining = remaining
        self.propagates = propagates
    }

    /// Whether it is that of a whole run, which is counted.
    var isRun: Bool { propagates && remaining == nil && completionID.hasByteSuffix(RunStep.idSuffix) }
}
