/// A reply of the server, in either version of its protocol.
///
/// The accessors take what RESP2 and RESP3 answer for the same question: a number that came as text, pairs that came
/// as a flat array. There will be no other cases: these are the types of RESP2 and RESP3.
public enum RESPValue: Sendable, Hashable {
    /// Nothing: `$-1`, `*-1` or `_`.
    case null
    /// A simple, bulk or verbatim string.
    case string([UInt8])
    case integer(Int)
    case double(Double)
    case boolean(Bool)
    /// An integer of any size, as its digits.
    case bigNumber([UInt8])
    case array([RESPValue])
    case set([RESPValue])
    case map([Pair])
    /// An error inside an array. One that answers a command is thrown instead.
    case error(RedisError)

    /// A key and its value.
    public struct Pair: Sendable, Hashable {
        public var key: RESPValue
        public var value: RESPValue

        public init(key: RESPValue, value: RESPValue) {
            self.key = key
            self.value = value
        }
    }
}

extension RESPValue {
    /// A string of text.
    public static func string(_ text: String) -> RESPValue {
        .string(Array(text.utf8))
    }

    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The bytes of a string.
    ///
    /// - Throws: ``RedisError/Code/unexpectedReply`` for what is none, ``null`` included; an error that it holds.
    public func bytes() throws(RedisError) -> [UInt8] {
        switch self {
        case .string(let bytes), .bigNumber(let bytes): return bytes
        default: throw mismatch("a string")
        }
    }

    /// The text of a string.
    ///
    /// - Throws: as ``bytes()``, also for what is not UTF-8.
    public func string() throws(RedisError) -> String {
        guard let text = String(validating: try bytes(), as: UTF8.self) else { throw mismatch("text in UTF-8") }
        return text
    }

    /// A whole number.
    ///
    /// - Throws: ``RedisError/Code/unexpectedReply`` for what is none; an error that it holds.
    public func integer() throws(RedisError) -> Int {
        switch self {
        case .integer(let number): return number
        case .boolean(let value): return value ? 1 : 0
        case .string(let bytes), .bigNumber(let bytes):
            if let number = Int(String(decoding: bytes, as: UTF8.self)) { return number }
        default: break
        }
        throw mismatch("an integer")
    }

    /// A number.
    ///
    /// - Throws: as ``integer()``.
    public func double() throws(RedisError) -> Double {
        switch self {
        case .double(let number): return number
        case .integer(let number): return Double(number)
        case .string(let bytes), .bigNumber(let bytes):
            if let number = Double(String(decoding: bytes, as: UTF8.self)) { return number }
        default: break
        }
        throw mismatch("a number")
    }

    /// Yes or no; in RESP2 1 or 0.
    ///
    /// - Throws: as ``integer()``.
    public func boolean() throws(RedisError) -> Bool {
        switch self {
        case .boolean(let value): return value
        case .integer(1): return true
        case .integer(0): return false
        default: throw mismatch("a boolean")
        }
    }

    /// The elements of an array or a set.
    ///
    /// - Throws: as ``integer()``.
    public func array() throws(RedisError) -> [RESPValue] {
        switch self {
        case .array(let elements), .set(let elements): return elements
        default: throw mismatch("an array")
        }
    }

    /// The pairs of a map; in RESP2 an array in which keys and values take turns.
    ///
    /// - Throws: as ``integer()``.
    public func pairs() throws(RedisError) -> [Pair] {
        switch self {
        case .map(let pairs): return pairs
        case .array(let elements) where elements.count.isMultiple(of: 2):
            return stride(from: 0, to: elements.count, by: 2).map {
                Pair(key: elements[$0], value: elements[$0 + 1])
            }
        default: throw mismatch("a map")
        }
    }

    /// Whether only RESP3 has it.
    var isOfNewProtocol: Bool {
        switch self {
        case .double, .boolean, .bigNumber, .set, .map: true
        case .null, .string, .integer, .array, .error: false
        }
    }

    private func mismatch(_ wanted: String) -> RedisError {
        if case .error(let error) = self { return error }
        return RedisError(.unexpectedReply, "The server was expected to answer \(wanted), not \(summary)")
    }

    /// What it is, without what it holds: that may be a secret, and long.
    private var summary: String {
        switch self {
        case .null: "null"
        case .string(let bytes): "a string of \(bytes.count) bytes"
        case .integer(let number): "the integer \(number)"
        case .double(let number): "the number \(number)"
        case .boolean(let value): "\(value)"
        case .bigNumber(let digits): "a number of \(digits.count) digits"
        case .array(let elements): "an array of \(elements.count)"
        case .set(let elements): "a set of \(elements.count)"
        case .map(let pairs): "a map of \(pairs.count)"
        case .error(let error): "an error: \(error)"
        }
    }
}
