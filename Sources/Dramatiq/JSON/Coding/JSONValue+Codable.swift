extension JSONValue: Codable {
    /// The value with this library's own coder, without loss. With another one, what that coder can tell: a fraction of
    /// nothing is an integer, and keys may lose their order.
    ///
    /// - Throws: `DecodingError` for what is no JSON.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? ValueDecoder {
            self = decoder.value
            return
        }
        if let keyed = try? decoder.container(keyedBy: PositionKey.self) {
            self = .object(
                JSONObject(
                    try keyed.allKeys.map { ($0.stringValue, try keyed.decode(JSONValue.self, forKey: $0)) }))
        } else if var unkeyed = try? decoder.unkeyedContainer() {
            var elements: [JSONValue] = []
            while !unkeyed.isAtEnd { elements.append(try unkeyed.decode(JSONValue.self)) }
            self = .array(JSONArray(elements))
        } else {
            self = try Self.scalar(in: decoder.singleValueContainer())
        }
    }

    private static func scalar(in container: any SingleValueDecodingContainer) throws -> JSONValue {
        if container.decodeNil() { return .null }
        if let value = try? container.decode(Bool.self) { return .bool(value) }
        if let value = try? container.decode(Int.self) { return .integer(value) }
        if let value = try? container.decode(UInt64.self) { return JSONValue(value) }
        if let value = try? container.decode(Double.self) { return .double(value) }
        return .string(try container.decode(String.self))
    }

    /// Encodes the value with this library's own coder, without loss.
    ///
    /// - Throws: `EncodingError` if another coder is at work and the value is a number that neither `Int`, `UInt64` nor
    ///   `Double` can hold, or a string that is no Unicode text.
    public func encode(to encoder: any Encoder) throws {
        if let encoder = encoder as? ValueEncoder { return encoder.node.set(self) }
        guard encoder.codingPath.count < ValueDecoder.maxDepth else {
            throw EncodingError.invalidValue(
                self,
                EncodingError.Context(
                    codingPath: [], debugDescription: "it is nested deeper than \(ValueDecoder.maxDepth) levels"))
        }
        switch self {
        case .array(let array):
            var container = encoder.unkeyedContainer()
            for element in array.elements { try container.encode(element) }
        case .object(let object):
            var container = encoder.container(keyedBy: PositionKey.self)
            for member in object.members {
                try container.encode(member.value, forKey: PositionKey(stringValue: member.key))
            }
        default:
            var container = encoder.singleValueContainer()
            try encodeScalar(into: &container)
        }
    }

    private func encodeScalar(into container: inout any SingleValueEncodingContainer) throws {
        switch self {
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .number(let number):
            if let value = UInt64(number.text) { return try container.encode(value) }
            // A double is near enough for a fraction, and not for an integer that has more digits.
            let isInteger = number.text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || $0 &- UInt8(ascii: "0") < 10 }
            guard !isInteger, let value = Double(number.text), value.isFinite else { throw inexpressible(container) }
            try container.encode(value)
        case .unpairedString:
            throw inexpressible(container)
        case .null, .array, .object:
            try container.encodeNil()
        }
    }

    private func inexpressible(_ container: any SingleValueEncodingContainer) -> EncodingError {
        .invalidValue(
            self,
            EncodingError.Context(
                codingPath: container.codingPath, debugDescription: "this coder can't express \(kind) of this sort"))
    }
}
