enum ArgumentCoding {
    static func encode<Value: Encodable>(_ value: Value, into writer: inout JSONWriter) throws {
        if let v = value as? String {
            writer.write(v)
        } else if let v = value as? Int {
            writer.write(v)
        } else if let v = value as? Double {
            writer.write(v)
        } else if let v = value as? JSONValue {
            writer.write(v)
        } else {
            writer.append("null")
        }
    }
    static func decode<Value: Decodable>(_ type: Value.Type, from text: ArraySlice<UInt8>) throws -> Value {
        let v = JSONText.value(text)
        if let x = v as? Value { return x }
        if let s = v.stringValue as? Value { return s }
        if let s = v.intValue as? Value { return s }
        if let s = v.doubleValue as? Value { return s }
        throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "x"))
    }
}
extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws { self = .null };
    public func encode(to encoder: any Encoder) throws {}
}
