import Logging

/// Drops messages that waited too long (`max_age`): they become dead letters instead of being processed.
public struct AgeLimit: ImmediateMiddleware {
    /// The limit for messages and actors that name none; `nil` for no limit. Defaults to `nil`.
    public let maxAge: Duration?

    public init(maxAge: Duration? = nil) {
        self.maxAge = maxAge
    }

    public var actorOptions: Set<String> { ["max_age"] }

    package func prepare(_ context: inout MessageContext) throws {
        let limit: Double
        if let option = context.optionIfTruthy("max_age") {
            guard option.isTruthy else { return }
            limit = try option.number()
        } else {
            guard let maxAge, maxAge != .zero else { return }
            limit = Double(maxAge.milliseconds)
        }
        let age = context.broker.clock.age(of: context.delivered.message.messageTimestamp)
        guard age >= limit else { return }
        let reason = "The message is \(Int(clampingToInt: age)) ms old, its limit is \(Int(clampingToInt: limit)) ms"
        context.fail(reason, level: .warning, kind: .age)
        throw SkipMessage(reason)
    }
}
