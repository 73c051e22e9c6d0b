/// Names of queues under which a transport keeps something else. Messages that are sent there would never be taken.
///
/// They are refused whichever transport is used: a name that is good in a test is good on a server, and a workflow's
/// messages may be sent on by another program with another transport. See ``WireOption``.
enum ReservedQueueName {
    private enum Pattern {
        case name(String)
        case prefix(String)
        case suffix(String)
        case part(String)

        func matches(_ name: String) -> Bool {
            switch self {
            case .name(let text): name.hasSameBytes(as: text)
            case .prefix(let text): name.hasBytePrefix(text)
            case .suffix(let text): name.hasByteSuffix(text)
            case .part(let text): name.containsBytes(of: text)
            }
        }
    }

    /// dramatiq's names of keys in Redis, and this package's `__commits__`, `__redelivered__`,
    /// `__runs__` and `__paused__`.
    private static let redisKeys: [Pattern] = [
        .suffix(".msgs"), .prefix("__acks__."), .prefix("__commits__."), .prefix("__redelivered__."),
        .prefix("__runs__."),
        .name("__heartbeats__"), .name("__reaper__"), .name("__paused__"),
        .part(".XQ.reason."),
    ]

    /// Why no queue can have a name; `nil` if nobody has reserved it.
    static func objection(to name: String) -> String? {
        redisKeys.contains { $0.matches(name) } ? "it is the name of a Redis key that holds something else" : nil
    }
}
