/// A middleware whose ``BeforeProcessMessage/beforeProcessMessage(_:)`` has nothing to wait for.
///
/// A call that may suspend costs about as much as all that the small middleware do, so every message is spared it.
package protocol ImmediateMiddleware: BeforeProcessMessage {
    /// Does what ``BeforeProcessMessage/beforeProcessMessage(_:)`` does.
    func prepare(_ context: inout MessageContext) throws
}

extension ImmediateMiddleware {
    public func beforeProcessMessage(_ context: inout MessageContext) async throws {
        try prepare(&context)
    }
}

/// A middleware that sees beforehand whether one of its later hooks has anything to do for a message.
package protocol SelectiveMiddleware: Middleware {
    /// Whether it may have after a success of a message without options whose actor has none either. Defaults to no.
    var concernsPlainMessages: Bool { get }

    /// Whether one of the hooks `afterProcessMessage`, `beforeAck` and `beforeNack` may do more than return.
    func isConcerned(_ context: MessageContext) -> Bool
}

extension SelectiveMiddleware {
    package var concernsPlainMessages: Bool { false }
}

/// A middleware that sees beforehand whether it has anything to look at in commits.
package protocol SelectiveObserver: CommitObserver {
    /// Whether it has. Doesn't change.
    var observesCommits: Bool { get }
}
