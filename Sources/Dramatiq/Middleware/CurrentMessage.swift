/// Makes the message that is being processed available to its actor as ``CurrentMessage/message``.
public struct CurrentMessage: ProcessingMiddleware {
    /// The message that the current task processes; `nil` outside of an actor.
    @TaskLocal public static var message: Message?

    public init() {}

    /// A message without the current one's ties, if it has them under another id.
    static func untied(_ message: Message) -> Message {
        guard !message.options.isEmpty, let current = Self.message else { return message }
        return message.untied(from: current)
    }

    public func process(
        _ context: MessageContext,
        next: (Message) async throws -> ActorResult
    ) async throws -> ActorResult {
        try await Self.$message.withValue(context.message) { try await next(context.message) }
    }
}
