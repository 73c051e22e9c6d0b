/// The members of a JSON object in their order: a list, or the verbatim text of one until somebody looks inside.
public struct JSONObject: Sendable {
    /// One key with its value.
    public struct Member: Sendable {
        public var key: String
        public var value: JSONValue
        /// The key's escaped text, for a key that Swift's `String` can't hold.
        var verbatimKey: [UInt8]?

        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }

        init(key: String, verbatimKey: [UInt8]?, value: JSONValue) {
            self.key = key
            self.verbatimKey = verbatimKey
            self.value = value
        }
    }

    enum Storage {
        case list([Member])
        /// Validated JSON text between the braces.
        case text(ArraySlice<UInt8>)
    }

    var storage: Storage

    /// An object with these members; of members with the same key the last one counts, as in Python.
    public init(_ members: [(String, JSONValue)] = []) {
        var object = JSONObject(members: [])
        for (key, value) in members { object[key] = value }
        self = object
    }

    init(members: [Member]) {
        storage = .list(members)
    }

    /// Takes validated JSON text: what stands between the braces of an object.
    package init(validatedText text: ArraySlice<UInt8>) {
        storage = .text(text)
    }

    /// JSON text: what stands between the braces.
    var content: ArraySlice<UInt8> {
        switch storage {
        case .text(let text): text
        case .list: JSONValue.object(self).encoded().dropFirst().dropLast()
        }
    }

    /// The members in order, each key once. Arrays and objects among the values stay verbatim until they are looked
    /// into in turn.
    public var members: [Member] {
        switch storage {
        case .list(let members): members
        case .text(let text): JSONText.members(text)
        }
    }

    /// Whether there is no member.
    public var isEmpty: Bool {
        switch storage {
        case .list(let members): members.isEmpty
        case .text(let text): JSONText.isBlank(text)
        }
    }

    /// The value of a key. Setting `nil` removes the key; setting a new key adds it at the end.
    public subscript(key: String) -> JSONValue? {
        get {
            members.first { $0.matches(key) }?.value
        }
        set {
            var members = self.members
            storage = .list([])
            members.set(newValue, forKey: key)
            storage = .list(members)
        }
    }
}

extension JSONObject.Member {
    func matches(_ key: String) -> Bool {
        verbatimKey == nil && self.key == key
    }
}

extension [JSONObject.Member] {
    mutating func set(_ value: JSONValue?, forKey key: String) {
        let index = firstIndex { $0.matches(key) }
        switch (index, value) {
        case (let index?, let value?): self[index].value = value
        case (let index?, nil): remove(at: index)
        case (nil, let value?): append(JSONObject.Member(key, value))
        case (nil, nil): break
        }
    }
}

extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        JSONValue.object(left).encoded() == JSONValue.object(right).encoded()
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(JSONValue.object(self).encoded())
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral, CustomStringConvertible {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements)
    }

    /// The object as compact JSON.
    public var description: String { JSONValue.object(self).description }
}
