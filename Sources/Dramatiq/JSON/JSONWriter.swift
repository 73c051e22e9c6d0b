/// Appends JSON text to a buffer as Python's `json.dumps` with `separators=(",", ":")` writes it.
package struct JSONWriter {
    package var bytes: [UInt8] = []
    /// Whether everything that is not ASCII is escaped, as Python does by default.
    var escapesNonASCII = true

    package init(capacity: Int = 128, escapesNonASCII: Bool = true) {
        bytes.reserveCapacity(capacity)
        self.escapesNonASCII = escapesNonASCII
    }

    @inline(__always)
    package mutating func append(_ byte: UInt8) {
        bytes.append(byte)
    }

    @inline(__always)
    package mutating func append(_ text: ArraySlice<UInt8>) {
        text.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    }

    /// Appends ASCII text that needs no escapes.
    @inline(__always)
    package mutating func append(_ literal: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Writes a value. Recursion is no deeper than ``JSONNesting/maxLists``; verbatim text is copied.
    package mutating func write(_ value: JSONValue) {
        switch value {
        case .null: append("null")
        case .bool(true): append("true")
        case .bool(false): append("false")
        case .integer(let integer): write(integer)
        case .double(let double): write(double)
        case .number(let number): bytes.append(contentsOf: number.text.utf8)
        case .string(let string): write(string)
        case .unpairedString(let string):
            append(UInt8(ascii: "\""))
            bytes.append(contentsOf: string.content)
            append(UInt8(ascii: "\""))
        case .array(let array): write(array)
        case .object(let object): write(object)
        }
    }

    package mutating func write(_ array: JSONArray) {
        append(UInt8(ascii: "["))
        switch array.storage {
        case .text(let text, _):
            append(text)
        case .list(let elements, _):
            var isFirst = true
            for element in elements {
                if !isFirst { append(UInt8(ascii: ",")) }
                isFirst = false
                write(element)
            }
        }
        append(UInt8(ascii: "]"))
    }

    mutating func write(_ object: JSONObject) {
        append(UInt8(ascii: "{"))
        switch object.storage {
        case .text(let text, _):
            append(text)
        case .list(let members, _):
            var isFirst = true
            for member in members {
                if !isFirst { append(UInt8(ascii: ",")) }
                isFirst = false
                writeKey(of: member)
                write(member.value)
            }
        }
        append(UInt8(ascii: "}"))
    }

    private mutating func writeKey(of member: JSONObject.Member) {
        if let verbatim = member.verbatimKey {
            append(UInt8(ascii: "\""))
            bytes.append(contentsOf: verbatim)
            append(UInt8(ascii: "\""))
        } else {
            write(member.key)
        }
        append(UInt8(ascii: ":"))
    }

    package mutating func write(_ integer: Int) {
        if integer >= 0, integer < 10 {
            append(UInt8(ascii: "0") + UInt8(integer))
            return
        }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { buffer in
            var magnitude = integer.magnitude
            var start = 20
            repeat {
                let (quotient, remainder) = magnitude.quotientAndRemainder(dividingBy: 10)
                start -= 1
                buffer[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder)
                magnitude = quotient
            } while magnitude > 0
            if integer < 0 { append(UInt8(ascii: "-")) }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[start...]))
        }
    }

    /// Writes the shortest text that reads back as the same number, in the form of Python's `repr`.
    mutating func write(_ double: Double) {
        if double.isNaN {
            append("NaN")
        } else if double.isInfinite {
            append(double < 0 ? "-Infinity" : "Infinity")
        } else {
            bytes.append(contentsOf: Self.text(double).utf8)
        }
    }

    /// A finite number's text. Swift's `description` is Python's `repr`, except that Swift turns to exponents from 2^53
    /// on, and Python from 10^16 on.
    static func text(_ double: Double) -> String {
        let magnitude = double.magnitude
        guard magnitude >= 0x1p53, magnitude < 1e16 else { return double.description }
        return "\(Int(double)).0"
    }
}

// MARK: - Strings

extension JSONWriter {
    mutating func write(_ string: String) {
        append(UInt8(ascii: "\""))
        writeContent(string)
        append(UInt8(ascii: "\""))
    }

    /// Writes a string's escaped content without quotes.
    private mutating func writeContent(_ string: String) {
        var string = string
        string.withUTF8 { utf8 in
            var start = 0
            var index = 0
            while index < utf8.count {
                let byte = utf8[index]
                if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte < 0x7F {
                    index += 1
                    continue
                }
                if byte >= 0x80, !escapesNonASCII {
                    index += 1
                    continue
                }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<index]))
                index += writeEscape(utf8, at: index)
                start = index
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
        }
    }

    /// Escapes the scalar at an index and returns how many bytes it takes.
    private mutating func writeEscape(_ utf8: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        let byte = utf8[index]
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x08: append("\\b")
        case 0x0C: append("\\f")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        case ..<0x80: writeCodeUnit(UInt32(byte))
        default:
            // Swift's strings are valid UTF-8.
            let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            var scalar = UInt32(byte) & (0x7F >> UInt32(length))
            for offset in 1..<length { scalar = scalar << 6 | UInt32(utf8[index + offset] & 0x3F) }
            if scalar < 0x10000 {
                writeCodeUnit(scalar)
            } else {
                writeCodeUnit(0xD800 + (scalar - 0x10000) >> 10)
                writeCodeUnit(0xDC00 + scalar & 0x3FF)
            }
            return length
        }
        return 1
    }

    private mutating func writeCodeUnit(_ unit: UInt32) {
        append("\\u")
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(truncatingIfNeeded: unit >> shift & 0xF)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
