/// Tells another actor how a message ended (`on_success`, `on_failure`).
///
/// The target of `on_success` gets the message as an object and the result; that of `on_failure` the message and
/// `{"type": …, "message": …}`, for every attempt that failed. See ``ActorAddress`` for how they are named.
public struct Callbacks: AfterProcessMessage, SelectiveMiddleware {
    public init() {}

    public var actorOptions: Set<String> { ["on_success", "on_failure"] }
    public var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }
    public var servedOptions: [ServedOption] { actorOptions.map(ServedOption.address) }

    package func isConcerned(_ context: MessageContext) -> Bool {
        context.optionIfTruthy(context.error == nil ? "on_success" : "on_failure") != nil
    }

    public func afterProcessMessage(_ context: inout MessageContext) async throws {
        if let error = context.error {
            guard let target = try context.address("on_failure") else { return }
            let failure: JSONValue = ["type": .string("\(type(of: error))"), "message": .string("\(error)")]
            try await context.enqueue(context.broker.message(for: target, [context.message.jsonValue, failure]))
        } else if context.isSuccess {
            guard let target = try context.address("on_success") else { return }
            let result = try context.result.jsonValue()
            try await context.enqueue(context.broker.message(for: target, [context.message.jsonValue, result]))
        }
    }
}
