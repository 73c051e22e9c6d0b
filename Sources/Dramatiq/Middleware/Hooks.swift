// The points at which a middleware can take part, each a protocol: conforming to it is all there is to do. The names are
// dramatiq's.

// MARK: Declaring

/// An actor is about to be declared.
public protocol BeforeDeclareActor: Middleware {
    /// - Throws: why it can't be declared, which the one who declares it gets; nothing is declared then.
    func beforeDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws
}

/// An actor was declared.
public protocol AfterDeclareActor: Middleware {
    /// - Throws: what the one who declares it gets. It is declared all the same.
    func afterDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws
}

/// A queue was declared.
public protocol AfterDeclareQueue: Middleware {
    /// - Throws: what the one who declares it gets. It is declared all the same.
    func afterDeclareQueue(_ name: String, broker: Broker) throws
}

// MARK: Enqueuing

/// A message is about to be enqueued and may be changed. An error is thrown to the one who enqueues it.
public protocol BeforeEnqueue: Middleware {
    /// - Throws: why the message can't be enqueued; nothing is sent then.
    func beforeEnqueue(_ message: inout Message, delay: Duration?, broker: Broker) async throws
}

// MARK: Receiving

/// A worker has taken a message that is due, and may change it before anything else looks at it: load arguments that are
/// kept elsewhere, decrypt them. The message in the queue stays as it is.
///
/// It may wait. What it throws is not the message's fault before it was tried again as the worker's `transitionRetries`
/// say; then the message becomes a dead letter.
public protocol BeforeReceiveMessage: Middleware {
    /// - Throws: what makes the worker try it again.
    func beforeReceiveMessage(_ message: inout Message, broker: Broker) async throws
}

/// A worker puts a message aside until it is due.
public protocol BeforeDelayMessage: Middleware {
    /// - Throws: what is logged; the message is put aside all the same.
    func beforeDelayMessage(_ message: Message, broker: Broker) async throws
}

// MARK: Processing

/// A message is about to be processed. Throwing ``SkipMessage`` leaves its actor out.
public protocol BeforeProcessMessage: Middleware {
    /// - Throws: ``SkipMessage`` to leave the actor out. What another error means says ``Middleware/failurePolicy``.
    func beforeProcessMessage(_ context: inout MessageContext) async throws
}

/// Runs around an actor, for what needs a scope, such as a task-local value or a tracing span.
public protocol ProcessingMiddleware: Middleware {
    /// Runs the actor by calling `next` with the message, or with another one in its place.
    ///
    /// - Returns: what the actor returned, or another result in its place.
    /// - Throws: what the actor threw, or another error in its place.
    func process(
        _ context: MessageContext,
        next: (Message) async throws -> ActorResult
    ) async throws -> ActorResult
}

/// An actor ran; see the context for its result or error.
public protocol AfterProcessMessage: Middleware {
    /// - Throws: what it means for the message says ``Middleware/failurePolicy``.
    func afterProcessMessage(_ context: inout MessageContext) async throws
}

/// A message was skipped.
public protocol AfterSkipMessage: Middleware {
    /// - Throws: what it means for the message says ``Middleware/failurePolicy``.
    func afterSkipMessage(_ context: inout MessageContext) async throws
}

/// A message is about to be acknowledged; the last chance to add to its commit.
public protocol BeforeAck: Middleware {
    /// - Throws: what it means for the message says ``Middleware/failurePolicy``.
    func beforeAck(_ context: inout MessageContext) async throws
}

/// A message that failed is about to become a dead letter; the last chance to add to its commit.
public protocol BeforeNack: Middleware {
    /// - Throws: what it means for the message says ``Middleware/failurePolicy``.
    func beforeNack(_ context: inout MessageContext) async throws
}

// MARK: Workers

/// A worker is about to start.
public protocol BeforeWorkerBoot: Middleware {
    /// - Throws: what is logged; the worker goes on.
    func beforeWorkerBoot(_ worker: Worker) async throws
}

/// A worker has started.
public protocol AfterWorkerBoot: Middleware {
    /// - Throws: what is logged; the worker goes on.
    func afterWorkerBoot(_ worker: Worker) async throws
}

/// A worker is about to shut down.
public protocol BeforeWorkerShutdown: Middleware {
    /// - Throws: what is logged; the worker goes on.
    func beforeWorkerShutdown(_ worker: Worker) async throws
}

/// A worker has shut down.
public protocol AfterWorkerShutdown: Middleware {
    /// - Throws: what is logged; the worker goes on.
    func afterWorkerShutdown(_ worker: Worker) async throws
}
