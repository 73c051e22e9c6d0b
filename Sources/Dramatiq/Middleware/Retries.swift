import Logging

/// Tries messages again whose actor threw, later and later, until a limit; then they become dead letters.
///
/// Options of actors: `max_retries`, `min_backoff`, `max_backoff`, `retry_when`, `throws`, `on_retry_exhausted`. All
/// but
/// `retry_when` and `throws` can be given per message. See ``Backoff`` for the waits. A retry is a copy of the message
/// with its id and with the options `retries`, `traceback` (the error) and `requeue_timestamp`; it is enqueued in one
/// step with the acknowledgement of the attempt that failed.
public struct Retries: Middleware, SelectiveMiddleware {
    /// The longest wait before a retry that anybody can ask for: seven days, in milliseconds.
    public static let longestBackoff = 7 * 86_400_000

    /// How often messages are tried again that don't say; `nil` for no limit.
    public let maxRetries: Int?
    /// The wait before the first retry.
    public let minBackoff: Duration
    /// The longest wait before a retry.
    public let maxBackoff: Duration
    /// Decides whether to retry, given how many retries there were and the error; overrules the number of retries.
    public let retryWhen: (@Sendable (_ retries: Int, _ error: any Error) -> Bool)?

    public init(
        maxRetries: Int? = 20,
        minBackoff: Duration = .seconds(15),
        maxBackoff: Duration = .seconds(7 * 86_400),
        retryWhen: (@Sendable (_ retries: Int, _ error: any Error) -> Bool)? = nil
    ) {
        self.maxRetries = maxRetries
        self.minBackoff = minBackoff
        self.maxBackoff = maxBackoff
        self.retryWhen = retryWhen
    }

    public var actorOptions: Set<String> {
        ["max_retries", "min_backoff", "max_backoff", "retry_when", "throws", "on_retry_exhausted"]
    }
    public var hooks: MiddlewareHooks { .afterProcessMessage }
    public var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

    package func isConcerned(_ context: MessageContext, at hook: MiddlewareHooks) -> Bool {
        context.error != nil
    }

    public func afterProcessMessage(_ context: inout MessageContext) async throws {
        // A message that has failed already, say for its arguments, would fail again.
        guard let error = context.error, !context.isFailed else { return }
        if context.actor.options.isExpected(error) {
            return context.fail("\(error)")
        }
        let retries = context.message.options.value("retries")?.intValue ?? 0
        let limit = limit(context)
        guard shouldRetry(context, retries, limit, error) else {
            let times = retries == 1 ? "1 retry" : "\(retries) retries"
            context.fail(retries == 0 ? "\(error)" : "\(error) (after \(times))")
            return try await tellExhausted(&context, retries, limit)
        }
        let delay = delay(context, retries, error)
        context.broker.logger.info(
            "Retrying a message",
            metadata: [
                "message_id": "\(context.message.messageID)",
                "actor_name": "\(context.message.actorName)",
                "retries": "\(retries)",
                "delay": "\(delay) ms",
                "error": "\(error)",
            ]
        )
        try await context.enqueue(Self.retry(of: context.message, retries, error), delay: .milliseconds(delay))
    }

    /// `null` means no limit, as in Python.
    private func limit(_ context: MessageContext) -> Int? {
        if let value = context.message.options["max_retries"] { return value.intValue }
        return context.actor.options["max_retries"]?.intValue ?? maxRetries
    }

    private func shouldRetry(_ context: MessageContext, _ retries: Int, _ limit: Int?, _ error: any Error) -> Bool {
        if let predicate = context.actor.options.retryPredicate ?? retryWhen { return predicate(retries, error) }
        return limit.map { retries < $0 } ?? true
    }

    private func tellExhausted(_ context: inout MessageContext, _ retries: Int, _ limit: Int?) async throws {
        guard let target = context.option("on_retry_exhausted")?.stringValue else { return }
        let figures: JSONValue = [
            "retries": .integer(retries), "max_retries": limit.map { .integer($0) } ?? .null,
        ]
        try await context.enqueue(context.broker.message(for: target, [context.message.jsonValue, figures]))
    }

    private func delay(_ context: MessageContext, _ retries: Int, _ error: any Error) -> Int {
        if let delay = (error as? Retry)?.delay { return max(0, delay.milliseconds) }
        let longest = context.option("max_backoff")?.intValue ?? maxBackoff.milliseconds
        return Backoff.milliseconds(
            attempts: retries,
            factor: context.option("min_backoff")?.intValue ?? minBackoff.milliseconds,
            maximum: min(longest, Self.longestBackoff)
        )
    }

    private static func retry(of message: Message, _ retries: Int, _ error: any Error) -> Message {
        message.copy(options: [
            "retries": .integer(retries + 1),
            "traceback": .string("\(type(of: error)): \(error)"),
            "requeue_timestamp": .integer(SystemClock.milliseconds()),
        ])
    }
}

/// Thrown by an actor to be tried again, after a delay of its choice. Counts as a retry.
public struct Retry: Error, Sendable, CustomStringConvertible {
    public let message: String
    /// The wait; `nil` for the usual one.
    public let delay: Duration?

    public init(_ message: String = "Retry", delay: Duration? = nil) {
        self.message = message
        self.delay = delay
    }

    public var description: String { message }
}
