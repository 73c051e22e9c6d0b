/// Decodes values out of JSON, as the `Decoder` that their `init(from:)` sees.
struct ValueDecoder: Decoder {
    /// How deep values may be nested. Whoever decodes a type that holds itself does so by recursion, and the text comes
    /// from outside.
    static let maxDepth = 512

    let value: JSONValue
    /// The container that the value stands in, and where.
    private let outer: CodingRoute?
    private let step: CodingRoute.Step?

    var codingPath: [any CodingKey] { CodingRoute.path(outer, step) }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ value: JSONValue, in outer: CodingRoute? = nil, at step: CodingRoute.Step? = nil) {
        self.value = value
        self.outer = outer
        self.step = step
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard let object = value.objectValue else { throw mismatch([String: JSONValue].self, "an object") }
        let route = try route()
        guard let members = MemberPlaces(object) else { throw corrupted("it has 4 GiB or more") }
        if members.hasCostlyKey {
            throw corrupted("a key has more than \(String.maxMarks) combining marks in a row")
        }
        return KeyedDecodingContainer(KeyedValueDecoder<Key>(members, route))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let array = value.arrayValue else { throw mismatch([JSONValue].self, "an array") }
        return UnkeyedValueDecoder(array, try route())
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { SingleValueDecoder(decoder: self) }

    /// The value as a container that others stand in.
    private func route() throws -> CodingRoute {
        let route = CodingRoute(outer, step)
        guard route.depth <= Self.maxDepth else {
            // Without the path, which would be as long as it is deep.
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: [], debugDescription: "it is nested deeper than \(Self.maxDepth) levels"))
        }
        return route
    }
}

private struct SingleValueDecoder: SingleValueDecodingContainer {
    let decoder: ValueDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.value.isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try decoder.bool() }
    func decode(_ type: String.Type) throws -> String { try decoder.string() }
    func decode(_ type: Double.Type) throws -> Double { try decoder.floatingPoint() }
    func decode(_ type: Float.Type) throws -> Float { try decoder.floatingPoint() }
    func decode(_ type: Int.Type) throws -> Int { try decoder.integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try decoder.integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try decoder.integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try decoder.integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try decoder.integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try decoder.integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try decoder.integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try decoder.integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try decoder.integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try decoder.integer() }
    func decode(_ type: Int128.Type) throws -> Int128 { try decoder.integer() }
    func decode(_ type: UInt128.Type) throws -> UInt128 { try decoder.integer() }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decode(type) }
}

/// Takes elements off the text of an array one by one: a list of them would take many times their bytes.
private struct UnkeyedValueDecoder: UnkeyedDecodingContainer {
    private let route: CodingRoute
    private let text: ArraySlice<UInt8>
    private let isDeep: Bool
    private var rest: ArraySlice<UInt8>
    private(set) var currentIndex = 0

    init(_ array: JSONArray, _ route: CodingRoute) {
        text = array.content
        isDeep = array.storage.nesting.isDeep
        rest = text
        self.route = route
    }

    var codingPath: [any CodingKey] { CodingRoute.path(route, nil) }

    var count: Int? {
        if let known = route.elementCount { return known }
        let count = JSONText.count(text)
        route.elementCount = count
        return count
    }

    var isAtEnd: Bool { JSONText.isBlank(rest) }

    mutating func decodeNil() throws -> Bool {
        guard rest.first(where: { $0 > 0x20 }) == UInt8(ascii: "n") else { return false }
        _ = try next()
        return true
    }

    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }

    private mutating func next() throws -> ValueDecoder {
        let step = CodingRoute.Step.position(currentIndex)
        guard let element = JSONText.takeFirst(&rest) else {
            throw DecodingError.valueNotFound(
                JSONValue.self,
                DecodingError.Context(
                    codingPath: CodingRoute.path(route, step),
                    debugDescription: "the array has only \(currentIndex) elements"))
        }
        currentIndex += 1
        return ValueDecoder(JSONText.value(element, isDeep: isDeep), in: route, at: step)
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try next().bool() }
    mutating func decode(_ type: String.Type) throws -> String { try next().string() }
    mutating func decode(_ type: Double.Type) throws -> Double { try next().floatingPoint() }
    mutating func decode(_ type: Float.Type) throws -> Float { try next().floatingPoint() }
    mutating func decode(_ type: Int.Type) throws -> Int { try next().integer() }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try next().integer() }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try next().integer() }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try next().integer() }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try next().integer() }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try next().integer() }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try next().integer() }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try next().integer() }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try next().integer() }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try next().integer() }
    mutating func decode(_ type: Int128.Type) throws -> Int128 { try next().integer() }
    mutating func decode(_ type: UInt128.Type) throws -> UInt128 { try next().integer() }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().decode(type) }
}

private struct KeyedValueDecoder<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let route: CodingRoute
    private let members: MemberPlaces

    init(_ members: MemberPlaces, _ route: CodingRoute) {
        self.members = members
        self.route = route
    }

    var codingPath: [any CodingKey] { CodingRoute.path(route, nil) }
    var allKeys: [Key] { (0..<members.count).compactMap { Key(stringValue: members.name(at: $0)) } }
    func contains(_ key: Key) -> Bool { members.text(of: key.stringValue) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try value(key).value.isNull }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try value(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try value(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder(PositionKey.super) }
    func superDecoder(forKey key: Key) throws -> any Decoder { decoder(key) }

    private func decoder(_ key: some CodingKey) -> ValueDecoder {
        ValueDecoder(members.value(of: key.stringValue) ?? .null, in: route, at: .key(key))
    }

    private func value(_ key: Key) throws -> ValueDecoder {
        guard let member = members.value(of: key.stringValue) else {
            throw DecodingError.keyNotFound(
                key, DecodingError.Context(codingPath: codingPath, debugDescription: "'\(key.stringValue)' is missing"))
        }
        return ValueDecoder(member, in: route, at: .key(key))
    }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try value(key).bool() }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try value(key).string() }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try value(key).floatingPoint() }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try value(key).floatingPoint() }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try value(key).integer() }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try value(key).integer() }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try value(key).integer() }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try value(key).integer() }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try value(key).integer() }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try value(key).integer() }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try value(key).integer() }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try value(key).integer() }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try value(key).integer() }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try value(key).integer() }
    func decode(_ type: Int128.Type, forKey key: Key) throws -> Int128 { try value(key).integer() }
    func decode(_ type: UInt128.Type, forKey key: Key) throws -> UInt128 { try value(key).integer() }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value { try value(key).decode(type) }
}
