/// A message can't be processed for one of its options, or its actor's: the value can't be read, or nobody serves it.
///
/// Where Python's dramatiq fails with a `TypeError` and the like, and goes on as if there were no option or no message,
/// the message becomes a dead letter with this error as its reason.
public struct OptionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The option's name, as in `time_limit`.
    public let option: String
    /// Its value as JSON; a long one is cut.
    public let value: String
    /// The message's id.
    public let messageID: String
    /// The actor whose option it is; `nil` if it is the message's own.
    public let actorName: String?
    /// What is wrong with it.
    public let reason: String

    init(_ option: String, _ value: JSONValue, messageID: String, actorName: String? = nil, _ reason: String) {
        self.option = option
        self.value = "\(value)".excerpt(maxBytes: 200)
        self.messageID = messageID
        self.actorName = actorName
        self.reason = reason
    }

    public var description: String {
        let owner = actorName.map { "of actor '\($0)', for message \(messageID)," } ?? "of message \(messageID)"
        return "The option \(option) \(owner) is \(value): \(reason)"
    }
}

extension OptionError: PermanentError {}
