/// An option that a message has, or its actor, and the ways in which Python reads it.
///
/// Everything that reads options does it by this type, so that a value means here what it means to Python's dramatiq:
/// booleans are numbers, zero and empty values are false, limits may have fractions or be infinite. What Python can't
/// read is an ``OptionError``.
package struct OptionValue: Sendable {
    package let name: String
    package let json: JSONValue
    private let messageID: String
    private let actorName: String?

    /// - Parameter actorName: the actor whose option it is; `nil` if it is the message's own.
    package init(_ name: String, _ json: JSONValue, messageID: String, actorName: String? = nil) {
        self.name = name
        self.json = json
        self.messageID = messageID
        self.actorName = actorName
    }

    /// Whether Python takes it for true.
    package var isTruthy: Bool { json.isTruthy }

    /// What is wrong with it.
    package func error(_ reason: String) -> OptionError {
        OptionError(name, json, messageID: messageID, actorName: actorName, reason)
    }

    /// A number to compare with: an integer that no `Double` can hold is infinite.
    package func number() throws(OptionError) -> Double {
        guard let number = json.pythonNumber else { throw error("it must be a number") }
        return number
    }

    /// A number to calculate with, which an integer can be too large for.
    package func float() throws(OptionError) -> Double {
        let number = try number()
        if number.isInfinite, json.isInteger { throw error("it is too large") }
        return number
    }

    /// A whole number.
    package func integer() throws(OptionError) -> Int {
        switch json {
        case .bool(let value): return value ? 1 : 0
        case .integer(let value): return value
        default: throw error(json.isInteger ? "it is too large" : "it must be an integer")
        }
    }
}

extension JSONValue {
    /// Whether Python takes the value for true: all but `null`, `false`, zero and what is empty.
    package var isTruthy: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .double(let value): value != 0
        case .number: doubleValue != 0
        case .string(let value): !value.isEmpty
        case .unpairedString: true
        case .array(let value): !value.isEmpty
        case .object(let value): !value.isEmpty
        }
    }

    /// The value as a number, if it is one to Python, to which booleans are.
    package var pythonNumber: Double? {
        if case .bool(let value) = self { return value ? 1 : 0 }
        return doubleValue
    }

    /// Whether it is an integer to Python: a number without a fraction and an exponent.
    fileprivate var isInteger: Bool {
        switch self {
        case .bool, .integer: true
        case .number(let number): number.text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (48...57).contains($0) }
        default: false
        }
    }
}

extension Message {
    /// One of the message's options, also if it is `null`.
    package func option(_ name: String) -> OptionValue? {
        options[name].map { OptionValue(name, $0, messageID: messageID) }
    }

    /// When the message is due, in milliseconds since 1970, rounded up; `nil` if it doesn't have to wait.
    package func eta() throws(OptionError) -> Int? {
        guard !options.isEmpty, let option = option("eta"), !option.json.isNull else { return nil }
        if case .integer(let eta) = option.json { return eta }
        return Int(clampingToInt: try option.number().rounded(.up))
    }

    /// The priority that the message has with brokers that know priorities; larger is sooner.
    package func brokerPriority() throws(OptionError) -> Int {
        guard !options.isEmpty, let option = option("broker_priority"), !option.json.isNull else { return 0 }
        return try option.integer()
    }

    /// By how much a pipeline delays the message; `nil` if it doesn't.
    package func pipelineDelay() throws(OptionError) -> Duration? {
        guard let option = option("delay"), !option.json.isNull else { return nil }
        return .clamping(milliseconds: try option.number().rounded(.up))
    }
}

extension MessageContext {
    /// The message's option if it has one, be it `null`, or else its actor's: `get(name, actor's)`.
    package func optionIfPresent(_ name: String) -> OptionValue? {
        messageOption(name) ?? actorOption(name)
    }

    /// The message's option unless Python takes it for false, or else its actor's, whatever that is:
    /// `get(name) or actor's`.
    package func optionIfTruthy(_ name: String) -> OptionValue? {
        if let option = messageOption(name), option.isTruthy { return option }
        return actorOption(name)
    }

    private func messageOption(_ name: String) -> OptionValue? {
        guard delivered.hasOptions || effects.isAmended else { return nil }
        return options[name].map { OptionValue(name, $0, messageID: delivered.message.messageID) }
    }

    /// The actor that an option names; `nil` for none.
    package func address(_ name: String) throws(OptionError) -> ActorAddress? {
        guard let option = optionIfTruthy(name), option.isTruthy else { return nil }
        guard let address = ActorAddress(option.json) else { throw option.error("it must name an actor") }
        return address
    }

    private func actorOption(_ name: String) -> OptionValue? {
        guard delivered.hasAnyOptions, let value = delivered.actor.options.json(name) else { return nil }
        return OptionValue(
            name, value, messageID: delivered.message.messageID, actorName: delivered.actor.name)
    }
}

extension Int {
    /// The number without its fraction, brought into range.
    package init(clampingToInt value: Double) {
        self = value.isNaN ? 0 : Int(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
    }
}

extension Duration {
    /// Milliseconds, brought into the range in which times can be added: some 30 million years. What is no number is
    /// zero.
    static func clamping(milliseconds: Double) -> Duration {
        milliseconds.isNaN ? .zero : .milliseconds(min(max(milliseconds, -1e18), 1e18))
    }

    /// The duration in milliseconds as JSON: an integer, unless there is a fraction.
    var jsonMilliseconds: JSONValue {
        let whole = milliseconds
        return Duration.milliseconds(whole) == self || whole == .max || whole == .min
            ? .integer(whole) : .double(self / .milliseconds(1))
    }
}
