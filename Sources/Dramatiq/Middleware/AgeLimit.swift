/// Drops messages that waited too long (`max_age`): they become dead letters instead of being processed.
public struct AgeLimit: Middleware, ImmediateMiddleware {
    /// The limit for messages and actors that name none; `nil` for no limit.
    public let maxAge: Duration?

    public init(maxAge: Duration? = nil) {
        self.maxAge = maxAge
    }

    public var actorOptions: Set<String> { ["max_age"] }
    public var hooks: MiddlewareHooks { .beforeProcessMessage }

    package func prepare(_ context: inout MessageContext) throws {
        guard let limit = context.option("max_age")?.doubleValue ?? maxAge.map({ Double($0.milliseconds) }), limit > 0
        else { return }
        let age = Double(SystemClock.milliseconds()) - context.message.messageTimestamp.milliseconds
        guard age >= limit else { return }
        let reason = "The message is \(Int(clampingToInt: age)) ms old, its limit is \(Int(clampingToInt: limit)) ms"
        context.fail(reason)
        throw SkipMessage(reason)
    }
}

extension Int {
    /// The number without its fraction, brought into range.
    init(clampingToInt value: Double) {
        self = value.isNaN ? 0 : Int(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
    }
}
