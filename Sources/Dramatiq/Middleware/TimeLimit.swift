/// Cancels actors that run too long (`time_limit`); the message then fails with ``TimeLimitExceeded`` and may be
/// retried.
///
/// Cancellation is cooperative: an actor that ignores it runs on, and one that returns in spite of it has succeeded.
/// Limits are looked at every tenth of a second. In an option of a message `0` means the actor's limit, and `Infinity`
/// none.
public struct TimeLimit: ImmediateMiddleware {
    /// The limit for messages and actors that name none. Defaults to ten minutes, as in dramatiq.
    public let timeLimit: Duration

    public init(timeLimit: Duration = .seconds(600)) {
        self.timeLimit = timeLimit
    }

    public var actorOptions: Set<String> { ["time_limit"] }

    package func prepare(_ context: inout MessageContext) throws {
        guard let option = context.optionIfTruthy("time_limit") else {
            context.effects.deadline = context.broker.clock.moment + timeLimit
            return
        }
        let limit = try option.float()
        // To Python, too, neither of the two is ever reached.
        context.effects.deadline =
            limit == .infinity || limit.isNaN
            ? nil : context.broker.clock.moment + .clamping(milliseconds: limit)
    }
}

/// An actor ran longer than its `time_limit` and was cancelled.
public struct TimeLimitExceeded: Error, Sendable, CustomStringConvertible {
    public let actorName: String
    public let messageID: String
    /// What the actor threw when it was cancelled, unless that was only `CancellationError`.
    public let underlyingError: (any Error)?

    public var description: String {
        let cause = underlyingError.map { ": \($0)" } ?? ""
        return "Actor '\(actorName)' exceeded its time limit on message \(messageID)\(cause)"
    }
}
