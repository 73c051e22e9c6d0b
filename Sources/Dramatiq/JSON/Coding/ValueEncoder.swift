/// Encodes a value into a node, as the `Encoder` that its `encode(to:)` sees.
struct ValueEncoder: Encoder {
    let node: EncodingNode
    /// The container that the value stands in, and where.
    let outer: CodingRoute?
    let step: CodingRoute.Step?

    var codingPath: [any CodingKey] { CodingRoute.path(outer, step) }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.beginObject()
        return KeyedEncodingContainer(KeyedValueEncoder<Key>(node: node, route: CodingRoute(outer, step)))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.beginArray()
        return UnkeyedValueEncoder(node: node, route: CodingRoute(outer, step))
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        SingleValueEncoder(encoder: self)
    }
}

private struct SingleValueEncoder: SingleValueEncodingContainer {
    let encoder: ValueEncoder
    private var node: EncodingNode { encoder.node }
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encode<Value: Encodable>(_ value: Value) throws {
        try node.encode(value, in: encoder.outer, at: encoder.step)
    }
    func encodeNil() { node.set(.null) }
    func encode(_ value: Bool) { node.set(.bool(value)) }
    func encode(_ value: String) { node.set(.string(value)) }
    func encode(_ value: Double) { node.set(JSONValue(value)) }
    func encode(_ value: Float) { node.set(JSONValue(value)) }
    func encode(_ value: Int) { node.set(JSONValue(value)) }
    func encode(_ value: Int8) { node.set(JSONValue(value)) }
    func encode(_ value: Int16) { node.set(JSONValue(value)) }
    func encode(_ value: Int32) { node.set(JSONValue(value)) }
    func encode(_ value: Int64) { node.set(JSONValue(value)) }
    func encode(_ value: UInt) { node.set(JSONValue(value)) }
    func encode(_ value: UInt8) { node.set(JSONValue(value)) }
    func encode(_ value: UInt16) { node.set(JSONValue(value)) }
    func encode(_ value: UInt32) { node.set(JSONValue(value)) }
    func encode(_ value: UInt64) { node.set(JSONValue(value)) }
    func encode(_ value: Int128) { node.set(JSONValue(value)) }
    func encode(_ value: UInt128) { node.set(JSONValue(value)) }
}

private struct UnkeyedValueEncoder: UnkeyedEncodingContainer {
    let node: EncodingNode
    let route: CodingRoute
    var codingPath: [any CodingKey] { CodingRoute.path(route, nil) }
    var count: Int { node.elementCount }

    func encode<Value: Encodable>(_ value: Value) throws {
        let step = CodingRoute.Step.position(count)
        try node.appendElement().encode(value, in: route, at: step)
    }

    func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        nestedEncoder().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nestedEncoder().unkeyedContainer() }
    func superEncoder() -> any Encoder { nestedEncoder() }

    private func nestedEncoder() -> ValueEncoder {
        let step = CodingRoute.Step.position(count)
        return ValueEncoder(node: node.appendElement(), outer: route, step: step)
    }
    func encodeNil() { node.appendElement().set(.null) }
    func encode(_ value: Bool) { node.appendElement().set(.bool(value)) }
    func encode(_ value: String) { node.appendElement().set(.string(value)) }
    func encode(_ value: Double) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: Float) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: Int) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: Int8) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: Int16) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: Int32) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: Int64) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: UInt) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: UInt8) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: UInt16) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: UInt32) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: UInt64) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: Int128) { node.appendElement().set(JSONValue(value)) }
    func encode(_ value: UInt128) { node.appendElement().set(JSONValue(value)) }
}

private struct KeyedValueEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: EncodingNode
    let route: CodingRoute
    var codingPath: [any CodingKey] { CodingRoute.path(route, nil) }

    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        try node.setMember(key.stringValue).encode(value, in: route, at: .key(key))
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        nestedEncoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        nestedEncoder(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { nestedEncoder(PositionKey.super) }
    func superEncoder(forKey key: Key) -> any Encoder { nestedEncoder(key) }

    private func nestedEncoder(_ key: any CodingKey) -> ValueEncoder {
        ValueEncoder(node: node.setMember(key.stringValue), outer: route, step: .key(key))
    }
    func encodeNil(forKey key: Key) { node.setMember(key.stringValue).set(.null) }
    func encode(_ value: Bool, forKey key: Key) { node.setMember(key.stringValue).set(.bool(value)) }
    func encode(_ value: String, forKey key: Key) { node.setMember(key.stringValue).set(.string(value)) }
    func encode(_ value: Double, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: Float, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: Int, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: Int8, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: Int16, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: Int32, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: Int64, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: UInt, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: UInt8, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: UInt16, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: UInt32, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: UInt64, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: Int128, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
    func encode(_ value: UInt128, forKey key: Key) { node.setMember(key.stringValue).set(JSONValue(value)) }
}

/// A place in an array, or the `super` of a class, in a coding path.
struct PositionKey: CodingKey {
    static let `super` = PositionKey(stringValue: "super")

    let stringValue: String
    let intValue: Int?

    init(_ position: Int) {
        stringValue = "\(position)"
        intValue = position
    }

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init?(intValue: Int) {
        self.init(intValue)
    }
}

extension JSONValue {
    /// An integer of any size.
    init(_ integer: some BinaryInteger) {
        if let integer = Int(exactly: integer) {
            self = .integer(integer)
        } else {
            self = .number(JSONNumber(unchecked: "\(integer)"))
        }
    }

    init(_ number: Double) {
        self = .double(number)
    }

    /// A number with no more digits than it needs: 0.1 and not 0.10000000149011612.
    init(_ number: Float) {
        self = .double(number.isFinite ? Double(number.description) ?? Double(number) : Double(number))
    }
}
