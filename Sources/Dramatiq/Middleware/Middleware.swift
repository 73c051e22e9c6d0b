/// Takes part in what happens to messages, at the points that its hooks name.
///
/// Conform a type and implement the hooks that you need. Those named `before…` run in the order of the broker's list,
/// those named `after…` in the opposite order. What a hook wants to send goes through
/// ``MessageContext/enqueue(_:delay:)``, so that it holds together with the acknowledgement or not at all.
///
/// What a hook throws is logged with the middleware's name and the message. What it means for the message is the
/// middleware's ``failurePolicy``.
public protocol Middleware: Sendable {
    /// How logs call it; the type's name unless given. A broker can have several middleware of a type if each has a name
    /// of its own.
    var name: String { get }
    /// The actor options that it understands.
    var actorOptions: Set<String> { get }
    /// The options that it serves when a message has them, by default the ``actorOptions``. A worker warns of options of
    /// dramatiq that nobody serves, and refuses messages with those whose loss would lose work.
    var servedOptions: [ServedOption] { get }
    /// The actors that get messages by its own settings, by the setting's name. A worker doesn't start before its broker
    /// knows them.
    var targets: [String: ActorAddress] { get }
    /// The hooks that it implements. Naming them spares every message the calls of the others.
    var hooks: MiddlewareHooks { get }
    /// What it means for the message when a hook throws.
    var failurePolicy: MiddlewareFailurePolicy { get }

    /// An actor is about to be declared.
    func beforeDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws
    /// An actor was declared.
    func afterDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws
    /// A queue was declared.
    func afterDeclareQueue(_ name: String, broker: Broker) throws

    /// A message is about to be enqueued and may be changed. An error is thrown to the one who enqueues it.
    func beforeEnqueue(_ message: inout Message, delay: Duration?, broker: Broker) async throws
    /// A message was enqueued.
    func afterEnqueue(_ message: Message, delay: Duration?, broker: Broker) async throws

    /// A worker puts a message aside until it is due.
    func beforeDelayMessage(_ message: Message, broker: Broker) async throws

    /// A message is about to be processed. Throwing ``SkipMessage`` leaves its actor out.
    func beforeProcessMessage(_ context: inout MessageContext) async throws
    /// An actor ran; see the context for its result or error.
    func afterProcessMessage(_ context: inout MessageContext) async throws
    /// A message was skipped.
    func afterSkipMessage(_ context: inout MessageContext) async throws

    /// A message is about to be acknowledged; the last chance to add to its settlement.
    func beforeAck(_ context: inout MessageContext) async throws
    /// A message was acknowledged, and what its settlement held was done.
    func afterAck(_ context: MessageContext) async throws
    /// A message that failed is about to become a dead letter; the last chance to add to its settlement.
    func beforeNack(_ context: inout MessageContext) async throws
    /// A message became a dead letter.
    func afterNack(_ context: MessageContext) async throws
    /// A message went back to its queue because its worker shuts down.
    func afterRequeue(_ context: MessageContext) async throws

    /// A worker is about to start.
    func beforeWorkerBoot(_ worker: Worker) async throws
    /// A worker has started.
    func afterWorkerBoot(_ worker: Worker) async throws
    /// A worker is about to shut down.
    func beforeWorkerShutdown(_ worker: Worker) async throws
    /// A worker has shut down.
    func afterWorkerShutdown(_ worker: Worker) async throws
}

/// Runs around an actor, for what needs a scope, such as a task-local value or a tracing span.
public protocol ProcessingMiddleware: Middleware {
    /// Runs the actor by calling `next`.
    ///
    /// - Returns: what the actor returned, or another result in its place.
    func process(
        _ context: MessageContext,
        next: () async throws -> ActorResult
    ) async throws -> ActorResult
}

/// The hooks of a ``Middleware`` that are called for every message or worker.
public struct MiddlewareHooks: OptionSet, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) {
        self.rawValue = rawValue
    }

    public static let beforeEnqueue = MiddlewareHooks(rawValue: 1 << 0)
    public static let afterEnqueue = MiddlewareHooks(rawValue: 1 << 1)
    public static let beforeDelayMessage = MiddlewareHooks(rawValue: 1 << 2)
    public static let beforeProcessMessage = MiddlewareHooks(rawValue: 1 << 3)
    public static let afterProcessMessage = MiddlewareHooks(rawValue: 1 << 4)
    public static let afterSkipMessage = MiddlewareHooks(rawValue: 1 << 5)
    public static let beforeAck = MiddlewareHooks(rawValue: 1 << 6)
    public static let afterAck = MiddlewareHooks(rawValue: 1 << 7)
    public static let beforeNack = MiddlewareHooks(rawValue: 1 << 8)
    public static let afterNack = MiddlewareHooks(rawValue: 1 << 9)
    public static let afterRequeue = MiddlewareHooks(rawValue: 1 << 10)
    public static let all = MiddlewareHooks(rawValue: (1 << 11) - 1)
}

/// What it means for a message that a hook of a middleware throws.
public enum MiddlewareFailurePolicy: Sendable, Hashable {
    /// The error is logged and the message goes on as if the middleware were not there.
    case log
    /// The hook is run again with growing pauses, on the same worker; after the last attempt the message becomes a dead
    /// letter with the error as its reason. It is not acknowledged in between. For middleware that a message's outcome
    /// hangs on.
    case retryThenReject
}

/// Thrown by ``Middleware/beforeProcessMessage(_:)`` to leave a message's actor out. Unless the context was told that
/// the message failed, it is acknowledged.
public struct SkipMessage: Error, Sendable, CustomStringConvertible {
    public let reason: String

    public init(_ reason: String) {
        self.reason = reason
    }

    public var description: String { "Skipped: \(reason)" }
}

extension Middleware {
    public var name: String { "\(Self.self)" }
    public var actorOptions: Set<String> { [] }
    public var servedOptions: [ServedOption] { actorOptions.map { ServedOption($0) } }
    public var targets: [String: ActorAddress] { [:] }
    public var hooks: MiddlewareHooks { .all }
    public var failurePolicy: MiddlewareFailurePolicy { .log }

    public func beforeDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws {}
    public func afterDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws {}
    public func afterDeclareQueue(_ name: String, broker: Broker) throws {}
    public func beforeEnqueue(_ message: inout Message, delay: Duration?, broker: Broker) async throws {}
    public func afterEnqueue(_ message: Message, delay: Duration?, broker: Broker) async throws {}
    public func beforeDelayMessage(_ message: Message, broker: Broker) async throws {}
    public func beforeProcessMessage(_ context: inout MessageContext) async throws {}
    public func afterProcessMessage(_ context: inout MessageContext) async throws {}
    public func afterSkipMessage(_ context: inout MessageContext) async throws {}
    public func beforeAck(_ context: inout MessageContext) async throws {}
    public func afterAck(_ context: MessageContext) async throws {}
    public func beforeNack(_ context: inout MessageContext) async throws {}
    public func afterNack(_ context: MessageContext) async throws {}
    public func afterRequeue(_ context: MessageContext) async throws {}
    public func beforeWorkerBoot(_ worker: Worker) async throws {}
    public func afterWorkerBoot(_ worker: Worker) async throws {}
    public func beforeWorkerShutdown(_ worker: Worker) async throws {}
    public func afterWorkerShutdown(_ worker: Worker) async throws {}
}
