/// Takes part in what happens to messages.
///
/// Conform a type to the hooks that it needs, each a protocol of its own: ``BeforeEnqueue``, ``AfterProcessMessage``,
/// ``BeforeAck`` and so on. What it doesn't conform to costs nothing. Hooks named `before…` run in the order of the broker's
/// list, those named `after…` in the opposite order. What a hook wants to send goes through
/// ``MessageContext/enqueue(_:delay:)``, so that it holds together with the acknowledgement or not at all.
///
///     struct Audit: BeforeAck {
///         func beforeAck(_ context: inout MessageContext) async throws {
///             try await context.enqueue(audit.message(context.message.messageID))
///         }
///     }
///
/// What a hook throws is logged with the middleware's name and the message. What it means for the message is the
/// middleware's ``failurePolicy``.
///
/// What only looks on conforms to the observers: ``AttemptObserver``, ``AfterEnqueue``, ``AfterAck``, ``AfterNack``,
/// ``AfterNackUnread``, ``AfterRequeue``, ``CommitObserver`` and ``SettlementObserver``. They can't wait and have no say, so
/// they cost none of the batching.
public protocol Middleware: Sendable {
    /// How logs call it; the type's name unless given. A broker can have several middleware of a type if each has a name
    /// of its own.
    var name: String { get }
    /// The actor options that it understands.
    var actorOptions: Set<String> { get }
    /// The options that it serves when a message has them, by default the ``Middleware/actorOptions``. A worker warns of options of
    /// dramatiq that nobody serves, and refuses messages with those whose loss would lose work.
    var servedOptions: [ServedOption] { get }
    /// The actors that get messages by its own settings, by the setting's name. A worker doesn't start before its broker
    /// knows them.
    var targets: [String: ActorAddress] { get }
    /// What it means for the message when a hook throws.
    var failurePolicy: MiddlewareFailurePolicy { get }
}

extension Middleware {
    public var name: String { "\(Self.self)" }
    public var actorOptions: Set<String> { [] }
    public var servedOptions: [ServedOption] { actorOptions.map { ServedOption($0) } }
    public var targets: [String: ActorAddress] { [:] }
    public var failurePolicy: MiddlewareFailurePolicy { .log }
}

/// What it means for a message that a hook of a middleware throws.
public struct MiddlewareFailurePolicy: Sendable, Hashable {
    private let isRetried: Bool

    /// The error is logged and the message goes on as if the middleware were not there.
    public static let log = MiddlewareFailurePolicy(isRetried: false)
    /// The hook is run again with growing pauses, on the same worker; after the last attempt the message becomes a dead
    /// letter with the error as its reason. It is not acknowledged in between. For middleware that a message's outcome
    /// hangs on.
    public static let retryThenReject = MiddlewareFailurePolicy(isRetried: true)
}

/// Thrown by ``BeforeProcessMessage/beforeProcessMessage(_:)`` to leave a message's actor out. Unless the context was told that
/// the message failed, it is acknowledged.
public struct SkipMessage: Error, Sendable, CustomStringConvertible {
    public let reason: String

    public init(_ reason: String) {
        self.reason = reason
    }

    public var description: String { "Skipped: \(reason)" }
}
