public import Dramatiq
public import DramatiqWorkflow

/// For how long a message may still need what was stored for its workflow.
///
/// A file's age counts from the last time that its workflow gave a sign of life: it was stored, carried on by messages
/// that were sent, or read for a message that arrived (to within an hour). Where it is known that a message waits for
/// longer, because it is delayed, tried again later or a dead letter, the age counts from the end of that wait. So it is
/// enough to add up what can lie between two such signs.
public struct StorageRetention: Sendable, Hashable {
    /// How long barriers live: `WorkflowMiddleware.barrierTTL`.
    public var barrierTTL: Duration
    /// How long a message may wait in its queue: `WorkflowMiddleware.longestWait`.
    public var longestWait: Duration
    /// The longest delay of a task, and the longest wait before a retry, where nobody tells the storage of it.
    public var longestDelay: Duration
    /// How long dead letters are kept, where nobody tells the storage of them.
    public var deadLetterTTL: Duration
    /// For clocks that differ and dates that a loss of power brings back.
    public var margin: Duration

    /// - Parameters:
    ///   - barrierTTL: how long barriers live. Defaults to a day.
    ///   - longestWait: how long a message may wait in its queue. Defaults to two weeks.
    ///   - longestDelay: the longest delay of a task, and the longest wait before a retry. Defaults to that of
    ///     `Retries`, seven days.
    ///   - deadLetterTTL: how long dead letters are kept. Defaults to seven days, as in dramatiq.
    ///   - margin: for clocks that differ and dates that a loss of power brings back. Defaults to a day.
    public init(
        barrierTTL: Duration = WorkflowMiddleware.defaultBarrierTTL,
        longestWait: Duration = WorkflowMiddleware.defaultLongestWait,
        longestDelay: Duration = Retries.longestBackoff,
        deadLetterTTL: Duration = .seconds(7 * 86_400),
        margin: Duration = .seconds(86_400)
    ) {
        self.barrierTTL = barrierTTL
        self.longestWait = longestWait
        self.longestDelay = longestDelay
        self.deadLetterTTL = deadLetterTTL
        self.margin = margin
    }

    /// The age from which nothing needs a file any more: a barrier's life, the margin, and either the wait in a queue or
    /// the waits that the storage was not told of, whichever is longer. 16 days unless changed.
    public var age: Duration { barrierTTL + max(longestWait, longestDelay + deadLetterTTL) + margin }
}
