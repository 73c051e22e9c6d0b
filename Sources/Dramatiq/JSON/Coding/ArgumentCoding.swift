/// Turns Swift values into JSON text and back, for the arguments and results of actors.
///
/// Keys stand in the order in which a value encodes them, and numbers of any size and Python's `NaN` and `Infinity`
/// pass, which is why this is not Foundation's coder. The most usual types take a short way around `Codable`.
enum ArgumentCoding {
    /// - Returns: how many levels of containers the text has at most.
    @discardableResult
    static func encode<Value: Encodable>(_ value: Value, into writer: inout JSONWriter) throws -> Int {
        // A cast between types that were just compared: the same bits, without the search that `as` does.
        if Value.self == String.self {
            writer.write(unsafeBitCast(value, to: String.self))
        } else if Value.self == Int.self {
            writer.write(unsafeBitCast(value, to: Int.self))
        } else if Value.self == Double.self {
            writer.write(unsafeBitCast(value, to: Double.self))
        } else if Value.self == Bool.self {
            writer.write(.bool(unsafeBitCast(value, to: Bool.self)))
        } else if let value = value as? JSONValue {
            writer.write(value)
            return value.depth
        } else {
            let node = EncodingNode(depth: 0)
            try node.encode(value)
            return try node.write(into: &writer)
        }
        return 0
    }

    /// - Parameter text: one JSON value that was found valid, without white space around it.
    static func decode<Value: Decodable>(_ type: Value.Type, from text: ArraySlice<UInt8>) throws -> Value {
        try ValueDecoder(JSONText.value(text, isDeep: text.count / 2 > JSONNesting.shallow)).decode(type)
    }
}
