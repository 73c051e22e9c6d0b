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
