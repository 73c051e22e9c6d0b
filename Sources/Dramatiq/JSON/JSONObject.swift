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

    var storage: JSONStorage<Member>

    /// An object with these members; of members with the same key the last one counts, as in Python.
    public init(_ members: [(String, JSONValue)] = []) {
        var unique = UniqueMembers()
        for (key, value) in members { unique.add(Member(key, value)) }
        self.init(members: unique.members)
    }

    init(members: [Member]) {
        var members = members
        var nesting = JSONNesting()
        for index in members.indices where members[index].value.isContainer { nesting.add(&members[index].value) }
        storage = .list(members, nesting)
    }

    /// Takes validated JSON text: what stands between the braces of an object.
    ///
    /// - Parameter depth: how many levels of containers the object has at most, itself included; found out unless given.
    package init(validatedText text: ArraySlice<UInt8>, depth: Int? = nil) {
        storage = JSONStorage(text, depth: depth)
    }

    /// JSON text: what stands between the braces.
    var content: ArraySlice<UInt8> {
        storage.text ?? JSONValue.object(self).encoded().dropFirst().dropLast()
    }

    /// Whether the object is still text that starts so, after its brace.
    package func starts(with start: StaticString) -> Bool {
        guard let text = storage.text else { return false }
        return text.starts(with: UnsafeBufferPointer(start: start.utf8Start, count: start.utf8CodeUnitCount))
    }

    /// The members in order, each key once. Arrays and objects among the values stay verbatim until they are looked
    /// into in turn.
    public var members: [Member] {
        switch storage {
        case .list(let members, _): members
        case .text(let text, _): JSONText.members(text, isDeep: storage.nesting.isDeep)
        }
    }

    /// The values of some keys, in one walk that keeps nothing of the others; `nil` for a key that isn't there.
    ///
    /// - Returns: also how many members there are, one for each time that a key comes.
    package func select(_ keys: [String]) -> (values: [JSONValue?], count: Int) {
        var values: [JSONValue?] = Array(repeating: nil, count: keys.count)
        switch storage {
        case .list(let members, _):
            for (place, key) in keys.enumerated() { values[place] = members.first { $0.matches(key) }?.value }
            return (values, members.count)
        case .text(let text, _):
            let isDeep = storage.nesting.isDeep
            let count = JSONText.forEachMember(text) { key, value in
                if let place = keys.firstIndex(where: { JSONText.isKey(key, $0) }) {
                    values[place] = JSONText.value(value, isDeep: isDeep)
                }
            }
            return (values, count)
        }
    }

    /// This object with no other members than those of some keys, if it was text, so that it can be asked for them.
    package func narrowed(to keys: [String]) -> JSONObject {
        if case .list = storage { return self }
        let values = select(keys).values
        return JSONObject(members: zip(keys, values).compactMap { key, value in value.map { Member(key, $0) } })
    }

    /// Whether there is no member.
    public var isEmpty: Bool {
        switch storage {
        case .list(let members, _): members.isEmpty
        case .text(let text, _): JSONText.isBlank(text)
        }
    }

    /// The value of a key. Setting `nil` removes the key; setting a new key adds it at the end.
    public subscript(key: String) -> JSONValue? {
        get {
            // Not a copy of the members, since every message is asked for options.
            guard case .list(let members, _) = storage else { return select([key]).values[0] }
            for index in members.indices where members[index].matches(key) { return members[index].value }
            return nil
        }
        set {
            var members = self.members
            var nesting = JSONNesting()
            if case .list(_, let known) = storage {
                nesting = known
            } else {
                for index in members.indices where members[index].value.isContainer {
                    nesting.add(&members[index].value)
                }
            }
            storage = .list([], nesting)  // So that the list is not copied.
            if var value = newValue {
                nesting.add(&value)
                members.set(value, forKey: key)
            } else {
                members.set(nil, forKey: key)
            }
            storage = .list(members, nesting)
        }
    }
}

extension JSONObject.Member {
    /// Inlined, or the whole member would be copied to be asked.
    @inline(__always)
    func matches(_ key: String) -> Bool {
        verbatimKey == nil && self.key.hasSameBytes(as: key)
    }

    func hasSameKey(as other: JSONObject.Member) -> Bool {
        key.hasSameBytes(as: other.key) && verbatimKey == other.verbatimKey
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
