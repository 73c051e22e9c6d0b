/// Walks over JSON text and checks it, without recursion and without building anything.
///
/// Accepts what Python's `json.loads` accepts: RFC 8259 and the constants `NaN`, `Infinity` and `-Infinity`. The bytes
/// must be valid UTF-8.
package struct JSONScanner {
    package let base: UnsafePointer<UInt8>
    package let count: Int
    package var maxDepth: Int
    package var position = 0
    /// How many containers lay in one another at most in the values that were stepped over.
    package private(set) var deepest = 0
    /// Whether there was white space between values, which Python doesn't write.
    package var hasWhitespace = false

    package static func scan<Result>(
        _ bytes: [UInt8],
        maxDepth: Int = .max,
        _ body: (inout JSONScanner) throws(DecodeError) -> Result
    ) throws(DecodeError) -> Result {
        try scan(bytes[...], maxDepth: maxDepth, body)
    }

    /// Positions count from the start of the slice.
    package static func scan<Result>(
        _ bytes: ArraySlice<UInt8>,
        maxDepth: Int = .max,
        _ body: (inout JSONScanner) throws(DecodeError) -> Result
    ) throws(DecodeError) -> Result {
        let outcome: Swift.Result<Result, DecodeError> = bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress, !buffer.isEmpty else {
                return .failure(DecodeError(.unexpectedEnd, "There are no bytes", offset: 0))
            }
            var scanner = JSONScanner(base: base, count: buffer.count, maxDepth: maxDepth)
            do throws(DecodeError) {
                return .success(try body(&scanner))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    package var byte: UInt8? { position < count ? base[position] : nil }

    /// Whether `{}` is next.
    var isAtEmptyObject: Bool {
        position + 1 < count && base[position] == UInt8(ascii: "{") && base[position + 1] == UInt8(ascii: "}")
    }

    @inline(__always)
    package mutating func skipWhitespace() {
        // Compact JSON has none, so the usual case is one comparison.
        while position < count, base[position] <= 0x20 {
            switch base[position] {
            case 0x20, 0x0A, 0x0D, 0x09:
                position += 1
                hasWhitespace = true
            default: return
            }
        }
    }

    @inline(__always)
    package mutating func expect(_ expected: UInt8) throws(DecodeError) {
        guard position < count, base[position] == expected else { throw unexpected() }
        position += 1
    }

    package func expectEnd() throws(DecodeError) {
        guard position == count else {
            throw DecodeError(.trailingBytes, "Bytes follow the end of the JSON text", offset: position)
        }
    }

    package func unexpected() -> DecodeError {
        guard position < count else {
            return DecodeError(.unexpectedEnd, "The JSON text ends too early", offset: count)
        }
        let byte = base[position]
        let shown = byte > 0x20 && byte < 0x7F ? "'\(Character(UnicodeScalar(byte)))'" : "0x\(String(byte, radix: 16))"
        return DecodeError(.unexpectedByte, "Unexpected byte \(shown)", offset: position)
    }
}

// MARK: - Values

extension JSONScanner {
    /// Which containers are open, a bit each (1: object), innermost last. The first 64 need no memory.
    private struct Nesting {
        var depth = 0
        var word: UInt64 = 0
        var outer: [UInt64] = []

        @inline(__always)
        mutating func push(_ isObject: Bool) {
            if depth & 63 == 0, depth > 0 { outer.append(word) }
            word = word << 1 | (isObject ? 1 : 0)
            depth += 1
        }

        @inline(__always)
        mutating func pop() {
            depth -= 1
            word >>= 1
            if depth & 63 == 0, depth > 0, let previous = outer.popLast() { word = previous }
        }

        @inline(__always)
        var isInObject: Bool { word & 1 == 1 }
    }

    /// Steps over one value, which must start at the position.
    package mutating func skipValue() throws(DecodeError) {
        var nesting = Nesting()
        while true {
            // A value starts here.
            guard position < count else { throw unexpected() }
            switch base[position] {
            case UInt8(ascii: "\""):
                try skipString()
            case UInt8(ascii: "{"):
                try open(&nesting, isObject: true)
                if position < count, base[position] == UInt8(ascii: "}") {
                    position += 1
                    nesting.pop()
                } else {
                    try skipKey()
                    continue
                }
            case UInt8(ascii: "["):
                try open(&nesting, isObject: false)
                if position < count, base[position] == UInt8(ascii: "]") {
                    position += 1
                    nesting.pop()
                } else {
                    continue
                }
            case UInt8(ascii: "t"):
                try skipLiteral("true")
            case UInt8(ascii: "f"):
                try skipLiteral("false")
            case UInt8(ascii: "n"):
                try skipLiteral("null")
            default:
                try skipNumber()
            }
            // A value ended here: close what it completes, then go on to the next one.
            while true {
                if nesting.depth == 0 { return }
                skipWhitespace()
                guard position < count else { throw unexpected() }
                let byte = base[position]
                if byte == UInt8(ascii: ",") {
                    position += 1
                    skipWhitespace()
                    if nesting.isInObject { try skipKey() }
                    break
                }
                guard byte == (nesting.isInObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { throw unexpected() }
                position += 1
                nesting.pop()
            }
        }
    }

    @inline(__always)
    private mutating func open(_ nesting: inout Nesting, isObject: Bool) throws(DecodeError) {
        guard nesting.depth < maxDepth else {
            throw DecodeError(.tooDeep, "Nested deeper than \(maxDepth) levels", offset: position)
        }
        nesting.push(isObject)
        deepest = max(deepest, nesting.depth)
        position += 1
        skipWhitespace()
    }

    /// Steps over a key, its colon and the white space around.
    @inline(__always)
    mutating func skipKey() throws(DecodeError) {
        try skipString()
        skipWhitespace()
        try expect(UInt8(ascii: ":"))
        skipWhitespace()
    }

    mutating func skipLiteral(_ literal: StaticString) throws(DecodeError) {
        let length = literal.utf8CodeUnitCount
        for index in 0..<length {
            guard position + index < count, base[position + index] == literal.utf8Start[index] else {
                position = min(position + index, count)
                throw unexpected()
            }
        }
        position += length
    }

    /// Steps over a number or one of `NaN`, `Infinity`, `-Infinity`. Returns whether it is an integer.
    @discardableResult
    mutating func skipNumber() throws(DecodeError) -> Bool {
        let start = position
        guard position < count else { throw unexpected() }
        switch base[position] {
        case UInt8(ascii: "N"):
            try skipLiteral("NaN")
            return false
        case UInt8(ascii: "I"):
            try skipLiteral("Infinity")
            return false
        case UInt8(ascii: "-"):
            position += 1
            if position < count, base[position] == UInt8(ascii: "I") {
                try skipLiteral("Infinity")
                return false
            }
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            break
        default:
            throw unexpected()
        }
        let integerStart = position
        guard skipDigits() else { throw invalidNumber(start) }
        if base[integerStart] == UInt8(ascii: "0"), position > integerStart + 1 { throw invalidNumber(start) }
        var isInteger = true
        if position < count, base[position] == UInt8(ascii: ".") {
            position += 1
            isInteger = false
            guard skipDigits() else { throw invalidNumber(start) }
        }
        if position < count, base[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            isInteger = false
            if position < count, base[position] == UInt8(ascii: "+") || base[position] == UInt8(ascii: "-") {
                position += 1
            }
            guard skipDigits() else { throw invalidNumber(start) }
        }
        return isInteger
    }

    private mutating func skipDigits() -> Bool {
        let start = position
        while position < count, base[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        return position > start
    }

    private func invalidNumber(_ start: Int) -> DecodeError {
        DecodeError(.invalidNumber, "Not a number", offset: start)
    }
}

// MARK: - Strings

extension JSONScanner {
    /// Steps over a string with its quotes. Returns whether it has an escape.
    @discardableResult
    @inline(__always)
    package mutating func skipString() throws(DecodeError) -> Bool {
        guard position < count, base[position] == UInt8(ascii: "\"") else { throw unexpected() }
        position += 1
        var hasEscape = false
        while true {
            skipPlainBytes()
            guard position < count else {
                throw DecodeError(.unexpectedEnd, "A string is not closed", offset: count)
            }
            let byte = base[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return hasEscape
            }
            if byte == UInt8(ascii: "\\") {
                hasEscape = true
                try skipEscape()
            } else if byte >= 0x80 {
                try skipMultibyteScalar()
            } else {
                throw DecodeError(.invalidString, "A control character stands in a string", offset: position)
            }
        }
    }

    /// Steps over bytes that need no look: not a quote, a backslash, a control character or part of a longer scalar.
    ///
    /// Eight bytes a step; the tests are the usual "has a zero byte" and "has a byte less than n" of Bit Twiddling
    /// Hacks (Anderson), without their masks for bytes of 0x80 and above, since those stop the walk as well.
    @inline(__always)
    private mutating func skipPlainBytes() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        var position = position
        while position &+ 8 <= count {
            let word = UInt64(
                littleEndian: UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self)
            )
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let stop =
                ((quote &- ones) | (backslash &- ones) | (word &- ones &* 0x20) | word) & highs
            if stop != 0 {
                // A borrow can mark a byte above the first true stop, never below it, so the lowest mark is exact.
                self.position = position &+ stop.trailingZeroBitCount / 8
                return
            }
            position &+= 8
        }
        while position < count {
            let byte = base[position]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 || byte >= 0x80 { break }
            position &+= 1
        }
        self.position = position
    }

    private mutating func skipEscape() throws(DecodeError) {
        let start = position
        position += 1
        guard position < count else { throw unexpected() }
        switch base[position] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                guard position < count, JSONText.hexValue(base[position]) != nil else {
                    throw DecodeError(.invalidString, "Bad \\u escape", offset: start)
                }
                position += 1
            }
        default:
            throw DecodeError(.invalidString, "Unknown escape", offset: start)
        }
    }

    /// Steps over a scalar of two to four bytes (Unicode 15, table 3-7).
    private mutating func skipMultibyteScalar() throws(DecodeError) {
        let lead = base[position]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: throw invalidUTF8()
        }
        guard position + length <= count, second.contains(base[position + 1]) else { throw invalidUTF8() }
        for index in 2..<max(length, 2) {
            guard base[position + index] & 0xC0 == 0x80 else { throw invalidUTF8() }
        }
        position += length
    }

    private func invalidUTF8() -> DecodeError {
        DecodeError(.invalidUTF8, "Invalid UTF-8", offset: position)
    }
}
