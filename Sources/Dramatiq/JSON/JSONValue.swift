/// Any JSON value, kept without loss.
///
/// Numbers of any size, the order of an object's keys and the three constants that Python adds to JSON (`NaN`,
/// `Infinity`, `-Infinity`) survive a round trip. Arrays and objects that were decoded stay verbatim bytes until
/// somebody looks inside, one level at a time, so a value that only passes through costs no more than a copy.
///
/// Two values are equal when they encode to the same bytes: `1` and `1.0` differ, and so do objects with another
/// order of keys.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// An integer that fits the machine's word. Larger ones are a ``number(_:)``.
    case integer(Int)
    /// A number with a fraction or an exponent, or one of `NaN`, `Infinity` and `-Infinity`.
    case double(Double)
    /// A number that neither ``integer(_:)`` nor ``double(_:)`` would write back as it was read.
    case number(JSONNumber)
    case string(String)
    /// A string that holds half a surrogate pair, which Python can write and Swift's `String` can't hold.
    case unpairedString(JSONUnpairedString)
    case array(JSONArray)
    case object(JSONObject)
}

/// The text of a number that is carried verbatim, such as an integer of 200 digits or `1E5`.
public struct JSONNumber: Sendable, Hashable {
    /// The number as it stands in the JSON text.
    public let text: String

    /// Takes the text of a number.
    ///
    /// - Throws: ``DecodeError`` if the text is not one JSON number.
    public init(_ text: String) throws(DecodeError) {
        let bytes = Array(text.utf8)
        try JSONScanner.scan(bytes) { scanner throws(DecodeError) in
            try scanner.skipNumber()
            try scanner.expectEnd()
        }
        self.text = text
    }

    init(unchecked text: String) {
        self.text = text
    }
}

/// The escaped text of a string with an unpaired surrogate, carried verbatim.
public struct JSONUnpairedString: Sendable, Hashable {
    /// The content between the quotes, escaped as it was read.
    let content: [UInt8]

    /// The string with each unpaired surrogate replaced by U+FFFD.
    public var lossyString: String {
        JSONText.unescape(content[...]).text
    }
}

extension JSONValue {
    /// Reads one JSON text.
    ///
    /// - Parameters:
    ///   - bytes: the whole text; white space around it is allowed.
    ///   - maxDepth: how deep arrays and objects may be nested. Defaults to 4096 levels.
    /// - Throws: ``DecodeError`` with the offset of the fault.
    public init(
        parsing bytes: [UInt8],
        maxDepth: Int = JSONMessageEncoder.defaultMaxDepth
    ) throws(DecodeError) {
        let (isCompact, isDeep) = try JSONScanner.scan(bytes, maxDepth: maxDepth) {
            scanner throws(DecodeError) in
            scanner.skipWhitespace()
            try scanner.skipValue()
            scanner.skipWhitespace()
            try scanner.expectEnd()
            return (!scanner.hasWhitespace, scanner.deepest > JSONNesting.shallow)
        }
        self = JSONText.value(isCompact ? bytes[...] : JSONText.compacted(bytes[...])[...], isDeep: isDeep)
    }

    /// Reads one JSON text.
    ///
    /// - Throws: ``DecodeError`` with the offset of the fault, in UTF-8 bytes.
    public init(parsing text: String) throws(DecodeError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// The value as compact JSON, as Python's `json.dumps` with `separators=(",", ":")` writes it.
    public func encoded() -> [UInt8] {
        var writer = JSONWriter()
        writer.write(self)
        return writer.bytes
    }

    /// The value, if it is a boolean.
    public var boolValue: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    /// The value, if it is a number without a fraction that fits `Int`.
    public var intValue: Int? {
        switch self {
        case .integer(let value): value
        case .double(let value): Int(exactly: value)
        case .number(let number): Int(number.text) ?? Double(number.text).flatMap(Int.init(exactly:))
        default: nil
        }
    }

    /// The value, if it is a number; one that is too large becomes infinite.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value): value
        case .number(let number): Double(number.text)
        default: nil
        }
    }

    /// The value, if it is a string that Swift can hold.
    public var stringValue: String? {
        if case .string(let value) = self { return value }
        return nil
    }

    /// The value, if it is an array.
    public var arrayValue: JSONArray? {
        if case .array(let value) = self { return value }
        return nil
    }

    /// The value, if it is an object.
    public var objectValue: JSONObject? {
        if case .object(let value) = self { return value }
        return nil
    }

    /// Whether the value is `null`.
    public var isNull: Bool {
        if case .null = self { return true }
        return false
    }

    /// What the value is, for messages to people.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .double, .number: "a number"
        case .string, .unpairedString: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: Hashable {
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        default: left.encoded() == right.encoded()
        }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(encoded())
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as compact JSON.
    public var description: String {
        String(decoding: encoded(), as: UTF8.self)
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(JSONArray(elements)) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}

extension JSONValue {
    /// The JSON that a value encodes to.
    ///
    /// - Throws: what the value's `encode(to:)` throws.
    public init<Value: Encodable>(encoding value: Value) throws {
        var writer = JSONWriter()
        let depth = try ArgumentCoding.encode(value, into: &writer)
        self = JSONText.value(writer.bytes[...], isDeep: depth > JSONNesting.shallow)
    }

    /// The value that the JSON stands for.
    ///
    /// - Throws: what the value's `init(from:)` throws.
    public func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try ArgumentCoding.decode(type, from: encoded()[...])
    }
}
