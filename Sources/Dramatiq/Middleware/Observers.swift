// What hears of messages after the fact and has no say. It is called on the way of every message and must not wait for
// anything: what takes its time belongs into a task or a stream of the observer's own.

/// A message was enqueued.
public protocol AfterEnqueue: Middleware {
    func afterEnqueue(_ message: Message, delay: Duration?)
}

/// A message was acknowledged, and what its commit held was done.
public protocol AfterAck: Middleware {
    func afterAck(_ context: MessageContext)
}

/// A message became a dead letter.
public protocol AfterNack: Middleware {
    func afterNack(_ context: MessageContext)
}

/// A message went back to its queue because its worker shuts down.
public protocol AfterRequeue: Middleware {
    func afterRequeue(_ context: MessageContext)
}

/// A delivery became a dead letter that nobody has read as a message: it can't be decoded, or was not tried any more.
public protocol AfterNackUnread: Middleware {
    /// - Parameters:
    ///   - delivery: what was put aside. Its payload is hostile.
    ///   - reason: why, for a person to read.
    ///   - kind: what kind of failure it was.
    func afterNackUnread(_ delivery: Delivery, reason: String, kind: FailureKind)
}

/// Watches how messages are processed, for metrics, traces and the like.
///
/// A broker without one spends nothing on it, not even a look at a clock.
public protocol AttemptObserver: Middleware {
    /// Makes a watch for one processor of a worker. Called when the worker is made, once for each.
    func attemptWatch() -> any AttemptWatch
}

/// Watches one processor of a worker, which has one message at a time: nothing here is called while something else is.
public protocol AttemptWatch: Sendable {
    /// The processor begins with a message: the hooks before its actor, and then the actor itself. The end doesn't follow
    /// for a message that goes back to its queue because the worker shuts down; the next beginning does.
    func attemptWillBegin(_ context: MessageContext)

    /// The actor has returned, thrown or was left out, as the context says. The hooks after it, which may have the message
    /// tried again or declare it failed, and its commit are still to come.
    func attemptDidEnd(_ context: MessageContext)
}
