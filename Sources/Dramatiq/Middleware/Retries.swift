import Logging

/// Tries messages again whose actor threw, later and later, until a limit; then they become dead letters.
///
/// Options of actors: `max_retries`, `min_backoff`, `max_backoff`, `retry_when`, `throws`, `on_retry_exhausted`. All but
/// `retry_when` and `throws` can be given per message. See ``Backoff`` for the waits. A retry is a copy of the message
/// with its id and with the options `retries`, `traceback` (the error) and `requeue_timestamp`; it is enqueued in one
/// step with the acknowledgement of the attempt that failed. Middleware before it in the broker's list see these options,
/// too, once an attempt has failed.
public struct Retries: AfterProcessMessage, SelectiveMiddleware {
    /// The longest wait before a retry that anybody can ask for: seven days.
    public static let longestBackoff = Duration.seconds(7 * 86_400)

    /// How often messages are tried again that don't say; `nil` for no limit. Defaults to 20.
    public let maxRetries: Int?
    /// The wait before the first retry. Defaults to 15 seconds.
    public let minBackoff: Duration
    /// The longest wait before a retry. Defaults to seven days.
    public let maxBackoff: Duration
    /// Decides whether to retry, given how many retries there were and the error; overrules the number of retries.
    /// Defaults to nothing.
    public let retryWhen: (@Sendable (_ retries: Int, _ error: any Error) -> Bool)?

    public init(
        maxRetries: Int? = 20,
        minBackoff: Duration = .seconds(15),
        maxBackoff: Duration = Retries.longestBackoff,
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
    public var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

    public var servedOptions: [ServedOption] {
        actorOptions.map { $0 == "on_retry_exhausted" ? .address($0) : ServedOption($0) }
    }

    package func isConcerned(_ context: MessageContext) -> Bool {
        context.error != nil
    }

    public func afterProcessMessage(_ context: inout MessageContext) async throws {
        guard let error = context.error else { return }
        if try isExpected(error, context) {
            return context.fail("\(error)", level: .info, kind: .expected)
        }
        let retries = context.message.option("retries")
        let count = try retries?.number() ?? 0
        context.amend([
            "retries": Self.next(retries?.json ?? 0, count),
            "traceback": .string("\(type(of: error)): \(error)"),
            "requeue_timestamp": .integer(context.broker.clock.milliseconds),
        ])
        // A message that has failed already, say for its arguments, would fail again.
        guard !context.isFailed else { return }
        let limit = context.optionIfPresent("max_retries")
        guard try shouldRetry(context, count, limit, error) else {
            let isAsked = error is Retry || error is RateLimitExceeded
            context.fail(Self.reason(error, count), level: isAsked ? .warning : .error, kind: .retries)
            let figures: JSONValue = [
                "retries": retries?.json ?? 0,
                "max_retries": limit?.json ?? maxRetries.map { .integer($0) } ?? .null,
            ]
            return try await tellExhausted(&context, figures)
        }
        let delay = try delay(context, retries, count, error)
        context.broker.logger.info(
            "Retrying a message",
            metadata: [
                "message_id": "\(context.message.messageID)",
                "actor_name": "\(context.message.actorName)",
                "retries": "\(Int(clampingToInt: count))",
                "delay": "\(delay) ms",
                "error": "\(error)",
            ]
        )
        try await context.enqueue(context.message, delay: .milliseconds(delay))
    }

    /// Whether an error is one of those that the actor names. Errors can't be named in a message: JSON has no types.
    private func isExpected(_ error: any Error, _ context: MessageContext) throws -> Bool {
        if let option = context.optionIfTruthy("throws"), option.isTruthy {
            throw option.error("it can only be given where the actor is made")
        }
        return context.actor.options.isExpected(error)
    }

    private func shouldRetry(
        _ context: MessageContext,
        _ retries: Double,
        _ limit: OptionValue?,
        _ error: any Error
    ) throws -> Bool {
        if let predicate = context.actor.options.retryPredicate ?? retryWhen {
            return predicate(Int(clampingToInt: retries), error)
        }
        // `null` means no limit, as in Python.
        guard let limit else { return maxRetries.map { retries < Double($0) } ?? true }
        return try limit.json.isNull || !(retries >= limit.number())
    }

    private func tellExhausted(_ context: inout MessageContext, _ figures: JSONValue) async throws {
        guard let target = try context.address("on_retry_exhausted") else { return }
        try await context.enqueue(context.broker.message(for: target, [context.message.jsonValue, figures]))
    }

    /// The wait before the next attempt, in milliseconds.
    private func delay(
        _ context: MessageContext,
        _ retries: OptionValue?,
        _ count: Double,
        _ error: any Error
    ) throws -> Int {
        if let delay = (error as? Retry)?.delay { return max(0, delay.milliseconds) }
        if count.isNaN, let retries { throw retries.error("it must be a number of retries") }
        let minimum = context.optionIfPresent("min_backoff")
        let maximum = context.optionIfPresent("max_backoff")
        let factor = try minimum?.float() ?? Double(minBackoff.milliseconds)
        var longest = try maximum?.number() ?? Double(maxBackoff.milliseconds)
        // What is no number is no limit to Python.
        if !longest.isNaN { longest = min(longest, Double(Self.longestBackoff.milliseconds)) }
        let wait = Backoff.milliseconds(attempts: count, factor: factor, maximum: longest) { Double.random(in: $0) }
        if let wait { return max(0, wait) }
        let option = longest == -.infinity ? maximum : minimum
        if let option { throw option.error("no wait can be computed from it") }
        return Self.longestBackoff.milliseconds
    }

    private static func next(_ retries: JSONValue, _ count: Double) -> JSONValue {
        switch retries {
        case .bool(let value): return value ? 2 : 1
        case .integer(let value) where value < .max: return .integer(value + 1)
        default: return .double(count + 1)
        }
    }

    private static func reason(_ error: any Error, _ count: Double) -> String {
        let retries = Int(clampingToInt: count)
        return switch retries {
        case 0: "\(error)"
        case 1: "\(error) (after 1 retry)"
        default: "\(error) (after \(retries) retries)"
        }
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
