/// Sends the completion callbacks of Python's `dramatiq.group` once all its members have succeeded
/// (`group_completion_uuid`, `group_completion_callbacks`).
///
/// For producers that have them; what a workflow can do is more. Members run in workers of either language, as long as
/// they count at the same backend. A member arrives, and the last one sends the callbacks, in the commit that acknowledges
/// it where the transport and the backend are one, and a member that is delivered again counts once. As in Python, a
/// member that fails for good keeps the callbacks from being sent, until it is requeued with success.
public struct GroupCallbacks: BeforeAck, SelectiveMiddleware {
    static let (barrierOption, callbacksOption) = ("group_completion_uuid", "group_completion_callbacks")

    /// For how long a barrier is kept from an arrival on unless said otherwise: a day, as in dramatiq.
    public static let defaultBarrierTTL = Duration.seconds(86_400)

    /// Counts the members. Producers and workers must share it.
    public let backend: any StateStore
    /// For how long a group's barrier is kept from an arrival on.
    public let barrierTTL: Duration

    /// - Parameters:
    ///   - backend: counts the members.
    ///   - barrierTTL: for how long a group's barrier is kept from an arrival on. Defaults to a day, as in dramatiq.
    public init(backend: any StateStore, barrierTTL: Duration = GroupCallbacks.defaultBarrierTTL) {
        self.backend = backend
        self.barrierTTL = barrierTTL
    }

    public var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }
    public var servedOptions: [ServedOption] {
        [
            ServedOption(Self.barrierOption),
            ServedOption(Self.callbacksOption) { value in
                _ = try Self.messages(value)
                return []
            },
        ]
    }

    package func isConcerned(_ context: MessageContext) -> Bool {
        context.delivered.hasOptions && context.options.has(Self.barrierOption)
    }

    public func beforeAck(_ context: inout MessageContext) async throws {
        let options = context.options
        // Both must be there and not be empty, as to Python.
        guard context.isSuccess, let barrier = options[Self.barrierOption], barrier.isTruthy,
            let callbacks = options[Self.callbacksOption], callbacks.isTruthy
        else { return }
        guard let key = barrier.stringValue else {
            throw context.message.option(Self.barrierOption).map { $0.error("it must be a text") }
                ?? DecodeError(.wrongType, "\(Self.barrierOption) must be a text", offset: 0)
        }
        let messages = try Self.messages(callbacks)
        let steps = StateCommit(
            store: backend,
            arrival: StateCommit.Arrival(
                barrier: BarrierKey(key: key, ttl: barrierTTL), party: context.message.messageID, releases: true))
        let isTiedOtherwise = WireOption.ties.contains { option in
            !option.hasSameBytes(as: Self.barrierOption) && !option.hasSameBytes(as: Self.callbacksOption)
                && options.has(option)
        }
        if !isTiedOtherwise {
            context.state = steps
            for message in messages { try await context.enqueueSuccessor(message, delay: nil) }
            return
        }
        // A commit has one arrival, which is the workflow's.
        try await context.keepResultApart()
        if try await backend.apply(steps) == .committed {
            for message in messages { try await context.enqueue(message) }
        }
    }

    private static func messages(_ value: JSONValue) throws -> [Message] {
        guard value.isTruthy else { return [] }
        guard let elements = value.arrayValue?.elements else {
            throw ServedOption.Refusal("it must be a list of messages")
        }
        return try elements.map { element in
            guard let object = element.objectValue else { throw ServedOption.Refusal("it must be a list of messages") }
            return try Message(object)
        }
    }
}
