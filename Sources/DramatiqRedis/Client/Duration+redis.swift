import Dramatiq

/// Every duration that goes to a server goes through here, so that none is refused in the middle of a step.
extension Duration {
    /// A century: what Redis takes everywhere, also added to the present.
    static let longestForRedis = Duration.seconds(3_155_760_000)

    /// Whole milliseconds as every command and script takes them: at least one, at most a century of them.
    var redisMilliseconds: Int { Swift.max(1, boundedForRedis().milliseconds) }

    /// The duration within what Redis takes.
    ///
    /// - Parameter shortest: what a shorter one becomes.
    func boundedForRedis(atLeast shortest: Duration = .zero) -> Duration {
        Swift.min(Swift.max(shortest, self), Self.longestForRedis)
    }
}
