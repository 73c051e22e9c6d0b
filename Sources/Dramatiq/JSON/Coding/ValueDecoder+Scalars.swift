#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ValueDecoder {
    /// The value as a type. What Foundation's coder treats in a special way is read the same here: `Data` from Base64, a
    /// `URL` from its text, a `Decimal` from a number. A `Date` is read from ISO 8601, or from a number as Foundation
    /// writes it.
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        // A cast between types that were just compared: the same bits, without the search that `as` does.
        if type == String.self { return unsafeBitCast(try string(), to: type) }
        if type == Int.self { return unsafeBitCast(try integer() as Int, to: type) }
        if type == Double.self { return unsafeBitCast(try floatingPoint() as Double, to: type) }
        if type == Bool.self { return unsafeBitCast(try bool(), to: type) }
        switch type {
        case is JSONValue.Type: return try cast(value)
        case is Data.Type: return try cast(try data())
        case is Date.Type: return try cast(try date())
        case is URL.Type: return try cast(try url())
        case is Decimal.Type: return try cast(try decimal())
        default: return try Value(from: self)
        }
    }

    private func cast<Value>(_ value: some Any) throws -> Value {
        guard let value = value as? Value else { throw mismatch(Value.self, "\(Value.self)") }
        return value
    }

    func bool() throws -> Bool {
        guard let value = value.boolValue else { throw mismatch(Bool.self, "a boolean") }
        return value
    }

    func string() throws -> String {
        if case .unpairedString = value {
            throw corrupted("the string holds half a surrogate pair, which is no Unicode text")
        }
        guard let value = value.stringValue else { throw mismatch(String.self, "a string") }
        return value
    }

    /// An integer; also one that is written with a fraction of nothing (`2.0`), as Python writes whole floats.
    func integer<Value: FixedWidthInteger>() throws -> Value {
        let exact: Value?
        switch value {
        case .integer(let integer): exact = Value(exactly: integer)
        case .double(let double): exact = Value(exactly: double)
        case .number(let number): exact = Value(number.text) ?? Double(number.text).flatMap(Value.init(exactly:))
        default: throw mismatch(Value.self, "an integer")
        }
        guard let exact else { throw corrupted("\(value.excerpt) doesn't fit \(Value.self)") }
        return exact
    }

    func floatingPoint<Value: BinaryFloatingPoint & LosslessStringConvertible>() throws -> Value {
        switch value {
        case .integer(let integer): return Value(integer)
        case .double(let double): return Value(double)
        case .number(let number):
            guard let value = Value(number.text) else { throw corrupted("\(value.excerpt) doesn't fit \(Value.self)") }
            return value
        default: throw mismatch(Value.self, "a number")
        }
    }

    private func data() throws -> Data {
        guard let data = Data(base64Encoded: try string()) else { throw corrupted("it is not Base64") }
        return data
    }

    /// A number is what versions before wrote, and Foundation's coders do: seconds since 2001.
    private func date() throws -> Date {
        guard case .string(let text) = value else {
            return Date(timeIntervalSinceReferenceDate: try floatingPoint())
        }
        guard let date = Date(iso8601: text) else {
            throw corrupted("it is not a date with an offset from UTC, such as 2026-11-25T15:21:28.123456+00:00")
        }
        return date
    }

    private func url() throws -> URL {
        guard let url = URL(string: try string()) else { throw corrupted("it is not a URL") }
        return url
    }

    private func decimal() throws -> Decimal {
        let text =
            switch value {
            case .integer, .double, .number: value.description
            default: throw mismatch(Decimal.self, "a number")
            }
        if text == "NaN" { return .nan }
        guard let decimal = Decimal(string: text) else { throw corrupted("\(value.excerpt) doesn't fit Decimal") }
        return decimal
    }

    func mismatch(_ type: any Any.Type, _ expected: String) -> DecodingError {
        .typeMismatch(
            type,
            DecodingError.Context(codingPath: codingPath, debugDescription: "expected \(expected), found \(value.kind)")
        )
    }

    func corrupted(_ reason: String) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: codingPath, debugDescription: reason))
    }
}

extension JSONValue {
    /// The beginning of the value's text, for messages to people.
    fileprivate var excerpt: String {
        description.excerpt(maxBytes: 40)
    }
}
