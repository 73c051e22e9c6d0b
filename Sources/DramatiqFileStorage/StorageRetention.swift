public import Dramatiq
public import DramatiqWorkflow

/// For how long a message may still need what was stored for its workflow.
///
/// A file's age counts from the last time that its workflow gave a sign of life: it was stored, carried on by messages
/// that were sent, or read for a message that arrived (to within an hour). So it is enough to add up what can lie
/// between two such signs.
public struct StorageRetention: Sendable, Hashable {
    /// How long barriers are kept after the last arrival: `WorkflowMiddleware.barrierTTL`.
    public var barrierTTL: Duration
    /// The longest delay of a task, and the longest wait before a retry.
    public var longestDelay: Duration
    /// How long dead letters are kept, from which a workflow may go on.
    public var deadLetterRetention: Duration
    /// For clocks that differ and dates that a loss of power brings back.
    public var margin: Duration

    /// - Parameters:
    ///   - barrierTTL: how long barriers are kept after the last arrival, a day unless given.
    ///   - longestDelay: the longest delay of a task, and the longest wait before a retry; that of `Retries`, seven
    ///     days, unless given.
    ///   - deadLetterRetention: how long dead letters are kept, seven days unless given, as dramatiq keeps them.
    ///   - margin: for clocks that differ and dates that a loss of power brings back.
    public init(
        barrierTTL: Duration = WorkflowMiddleware.defaultBarrierTTL,
        longestDelay: Duration = .milliseconds(Retries.longestBackoff),
        deadLetterRetention: Duration = .seconds(7 * 86_400),
        margin: Duration = .seconds(86_400)
    ) {
        self.barrierTTL = barrierTTL
        self.longestDelay = longestDelay
        self.deadLetterRetention = deadLetterRetention
        self.margin = margin
    }

    /// The age from which nothing needs a file any more: all of it together, 16 days unless changed.
    public var age: Duration { barrierTTL + longestDelay + deadLetterRetention + margin }
}
