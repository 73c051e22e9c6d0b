/// What a message tells the broker and the middleware, by name and in order.
///
/// Names and values are dramatiq's (`max_retries`, `eta`, `pipe_target`, …). Options that nobody here knows travel
/// untouched.
public struct MessageOptions: Sendable, Hashable {
    /// The options as a JSON object.
    public var object: JSONObject

    public init(_ object: JSONObject = [:]) {
        self.object = object
    }

    /// Whether there is none.
    public var isEmpty: Bool { object.isEmpty }

    /// Whether there is nothing but what transports note. Nearly all messages are like that, so a worker asks once.
    var isOnlyTransport: Bool {
        switch object.storage {
        case .list(let members, _):
            members.isEmpty || members.count == 1 && WireOption.transportIDs.contains { members[0].matches($0) }
        case .text: isEmpty
        }
    }

    /// An option's value. Setting `nil` removes the option.
    public subscript(name: String) -> JSONValue? {
        get { object[name] }
        set { object[name] = newValue }
    }

    /// An option's value, with `null` read as absent.
    public func value(_ name: String) -> JSONValue? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    /// Whether an option has a value, with `null` read as absent.
    package func has(_ name: String) -> Bool {
        guard case .list(let members, _) = object.storage else { return value(name) != nil }
        for index in members.indices where members[index].matches(name) { return !members[index].value.isNull }
        return false
    }

    /// Removes options.
    mutating func remove(_ names: [String]) {
        if isEmpty { return }
        for name in names { self[name] = nil }
    }

    /// These options with others laid over them: a name that both have takes the other's value.
    public func merging(_ other: MessageOptions) -> MessageOptions {
        if isEmpty { return other }
        var merged = self
        merged.merge(other)
        return merged
    }

    /// Lays other options over these.
    public mutating func merge(_ other: MessageOptions) {
        for member in other.object.members { object[member.key] = member.value }
    }
}

extension MessageOptions: ExpressibleByDictionaryLiteral, CustomStringConvertible {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        object = JSONObject(elements)
    }

    /// The options as compact JSON.
    public var description: String { object.description }
}
