/// Reads values out of JSON text that a ``JSONScanner`` has already found valid.
///
/// Containers are split one level deep; what is inside them stays text.
package enum JSONText {
    /// The value that a slice holds, without white space around it.
    ///
    /// - Parameter isDeep: whether the text may be nested deeper than ``JSONNesting/shallow``.
    static func value(_ text: ArraySlice<UInt8>, isDeep: Bool = false) -> JSONValue {
        guard let first = text.first else { return .null }
        switch first {
        case UInt8(ascii: "\""):
            return string(text.dropFirst().dropLast())
        case UInt8(ascii: "{"):
            let depth = isDeep ? nil : JSONNesting.shallow
            return .object(JSONObject(validatedText: text.dropFirst().dropLast(), depth: depth))
        case UInt8(ascii: "["):
            let depth = isDeep ? nil : JSONNesting.shallow
            return .array(JSONArray(validatedText: text.dropFirst().dropLast(), depth: depth))
        case UInt8(ascii: "t"):
            return .bool(true)
        case UInt8(ascii: "f"):
            return .bool(false)
        case UInt8(ascii: "n"):
            return .null
        default:
            return number(text)
        }
    }

    static func number(_ text: ArraySlice<UInt8>) -> JSONValue {
        if let integer = integer(text) { return .integer(integer) }
        let string = String(decoding: text, as: UTF8.self)
        switch string {
        case "NaN": return .double(.nan)
        case "Infinity": return .double(.infinity)
        case "-Infinity": return .double(-.infinity)
        default: break
        }
        if text.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }),
            let double = Double(string), double.isFinite, JSONWriter.text(double) == string
        {
            return .double(double)
        }
        return .number(JSONNumber(unchecked: string))
    }

    /// The integer that a slice holds, if it would be written back the same way.
    private static func integer(_ text: ArraySlice<UInt8>) -> Int? {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative ? text.dropFirst() : text
        guard digits.count <= 19, let first = digits.first else { return nil }
        if first == UInt8(ascii: "0"), isNegative { return nil }
        var magnitude: UInt = 0
        for digit in digits {
            let value = digit &- UInt8(ascii: "0")
            guard value < 10 else { return nil }
            magnitude = magnitude &* 10 &+ UInt(value)  // Nineteen digits fit.
        }
        if isNegative {
            guard magnitude <= UInt(Int.max) + 1 else { return nil }
            return Int(truncatingIfNeeded: 0 &- magnitude)
        }
        return Int(exactly: magnitude)
    }

    /// The elements of an array, from the text between its brackets.
    static func elements(_ text: ArraySlice<UInt8>, isDeep: Bool = false) -> [JSONValue] {
        var elements: [JSONValue] = []
        walk(text) { scanner in
            while let range = scanner.nextElement() {
                elements.append(value(text[offsetBy: range], isDeep: isDeep))
            }
        }
        return elements
    }

    /// The elements of an array with the containers in them split, too, down to a number of levels, in one walk.
    ///
    /// - Returns: `nil` if that are more than so many values.
    static func elements(_ text: ArraySlice<UInt8>, levels: Int, maxCount: Int) -> [JSONValue]? {
        var elements: [JSONValue]?
        walk(text) { scanner in
            scanner.room = maxCount
            let split = scanner.elements(text, levels: levels)
            if scanner.room >= 0 { elements = split }
        }
        return text.isEmpty ? [] : elements
    }

    /// The first element of an array, and the text of the others.
    static func splitFirst(
        _ text: ArraySlice<UInt8>,
        isDeep: Bool = false
    ) -> (first: JSONValue, rest: ArraySlice<UInt8>)? {
        var rest = text
        return takeFirst(&rest).map { (value($0, isDeep: isDeep), rest) }
    }

    /// Takes the text of the first element off the text between an array's brackets; `nil` if there is none.
    static func takeFirst(_ text: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        if text.isEmpty { return nil }
        var element: ArraySlice<UInt8>?
        var rest = text
        walk(text) { scanner in
            guard let range = scanner.nextElement() else { return }
            element = text[offsetBy: range]
            rest = text[(text.startIndex + scanner.position)...]
        }
        text = rest
        return element
    }

    /// The members of an object, from the text between its braces. A key that comes again keeps its first place and
    /// takes the last value, as in Python.
    static func members(_ text: ArraySlice<UInt8>, isDeep: Bool = false) -> [JSONObject.Member] {
        var members = UniqueMembers()
        walk(text) { scanner in
            while let (key, range) = scanner.nextMember() {
                members.add(member(key: text[offsetBy: key], value: value(text[offsetBy: range], isDeep: isDeep)))
            }
        }
        return members.members
    }

    /// Walks over the members of an object, from the text between its braces; keys come with their quotes.
    ///
    /// - Returns: how many there are.
    @discardableResult
    static func forEachMember(
        _ text: ArraySlice<UInt8>,
        _ body: (_ key: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Void
    ) -> Int {
        var count = 0
        walk(text) { scanner in
            while let (key, range) = scanner.nextMember() {
                body(text[offsetBy: key], text[offsetBy: range])
                count += 1
            }
        }
        return count
    }

    /// Whether a key, given with its quotes, is this one.
    package static func isKey(_ text: ArraySlice<UInt8>, _ key: String) -> Bool {
        let content = text.dropFirst().dropLast()
        if content.contains(UInt8(ascii: "\\")) {
            let (unescaped, isLossless) = unescape(content)
            return isLossless && unescaped.hasSameBytes(as: key)
        }
        return content.count == key.utf8.count && content.elementsEqual(key.utf8)
    }

    /// How many elements an array has, from the text between its brackets.
    static func count(_ text: ArraySlice<UInt8>) -> Int {
        var count = 0
        walk(text) { scanner in
            while scanner.nextElement() != nil { count += 1 }
        }
        return count
    }

    static func member(key: ArraySlice<UInt8>, value: JSONValue) -> JSONObject.Member {
        let content = key.dropFirst().dropLast()
        guard content.contains(UInt8(ascii: "\\")) else {
            return JSONObject.Member(key: KnownKeys.string(content), verbatimKey: nil, value: value)
        }
        let (text, isLossless) = unescape(content)
        return JSONObject.Member(key: text, verbatimKey: isLossless ? nil : Array(content), value: value)
    }

    /// The text without white space between values, so that equal values have equal text.
    static func compacted(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var compacted: [UInt8] = []
        compacted.reserveCapacity(text.count)
        var isInString = false
        var isEscaped = false
        for byte in text {
            if isInString {
                isInString = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            } else if byte <= 0x20 {
                continue
            } else {
                isInString = byte == UInt8(ascii: "\"")
            }
            compacted.append(byte)
        }
        return compacted
    }

    static func isBlank(_ text: ArraySlice<UInt8>) -> Bool {
        text.allSatisfy { $0 <= 0x20 }
    }

    /// Runs over text that is valid: a throw inside means that it was not, and ends the walk.
    private static func walk(_ text: ArraySlice<UInt8>, _ body: (inout TrustedWalk) -> Void) {
        text.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var walk = TrustedWalk(
                scanner: JSONScanner(base: base, count: buffer.count, maxDepth: .max)
            )
            body(&walk)
        }
    }
}

/// Collects members. A key that comes again keeps its first place and takes the last value.
///
/// Keys are looked for one by one while they are few, and through a table when somebody sends many.
struct UniqueMembers {
    private(set) var members: [JSONObject.Member] = []
    private var places = PlaceTable()

    mutating func add(_ member: JSONObject.Member) {
        if let earlier = place(of: member) {
            members[earlier].value = member.value
        } else {
            members.append(member)
        }
    }

    private mutating func place(of member: JSONObject.Member) -> Int? {
        if members.count < PlaceTable.minCount {
            return members.firstIndex { $0.hasSameKey(as: member) }
        }
        while places.count < members.count { places.append(hash: members[places.count].key.byteHash) }
        return places.first(hash: member.key.byteHash) { members[$0].hasSameKey(as: member) }
    }
}

/// Steps over the elements of a container's validated text.
private struct TrustedWalk {
    var scanner: JSONScanner
    /// How many more values may be split off; below zero there were too many.
    var room = Int.max

    var position: Int { scanner.position }

    /// The elements up to the end of the text or the bracket that closes their array.
    mutating func elements(_ text: ArraySlice<UInt8>, levels: Int) -> [JSONValue] {
        var elements: [JSONValue] = []
        scanner.skipWhitespace()
        while let byte = scanner.byte, byte != UInt8(ascii: "]") {
            room -= 1
            guard room >= 0, let value = value(text, levels: levels) else { break }
            elements.append(value)
            skipComma()
        }
        return elements
    }

    /// The members up to the brace that closes their object.
    private mutating func members(_ text: ArraySlice<UInt8>, levels: Int) -> [JSONObject.Member] {
        var members = UniqueMembers()
        scanner.skipWhitespace()
        while let byte = scanner.byte, byte != UInt8(ascii: "}") {
            room -= 1
            guard room >= 0, let key = nextKey(), let value = value(text, levels: levels) else { break }
            members.add(JSONText.member(key: text[offsetBy: key], value: value))
            skipComma()
        }
        return members.members
    }

    private mutating func value(_ text: ArraySlice<UInt8>, levels: Int) -> JSONValue? {
        if levels > 0, scanner.byte == UInt8(ascii: "[") {
            scanner.position += 1
            let elements = elements(text, levels: levels - 1)
            scanner.position += 1
            return .array(JSONArray(elements))
        }
        if levels > 0, scanner.byte == UInt8(ascii: "{") {
            scanner.position += 1
            let members = members(text, levels: levels - 1)
            scanner.position += 1
            return .object(JSONObject(members: members))
        }
        let start = scanner.position
        guard (try? scanner.skipValue()) != nil else { return nil }
        return JSONText.value(text[offsetBy: start..<scanner.position])
    }

    private mutating func skipComma() {
        scanner.skipWhitespace()
        guard scanner.byte == UInt8(ascii: ",") else { return }
        scanner.position += 1
        scanner.skipWhitespace()
    }

    /// The next element's range; stops after the comma that follows it.
    mutating func nextElement() -> Range<Int>? {
        scanner.skipWhitespace()
        guard scanner.position < scanner.count else { return nil }
        return skipValueAndComma()
    }

    /// The next member's ranges, the key with its quotes; stops after the comma that follows it.
    mutating func nextMember() -> (key: Range<Int>, value: Range<Int>)? {
        scanner.skipWhitespace()
        guard let key = nextKey() else { return nil }
        return skipValueAndComma().map { (key, $0) }
    }

    /// The next key's range with its quotes; stops before the value.
    private mutating func nextKey() -> Range<Int>? {
        let start = scanner.position
        guard start < scanner.count, (try? scanner.skipString()) != nil else { return nil }
        let end = scanner.position
        scanner.skipWhitespace()
        scanner.position += 1
        scanner.skipWhitespace()
        return start..<end
    }

    private mutating func skipValueAndComma() -> Range<Int>? {
        let start = scanner.position
        guard (try? scanner.skipValue()) != nil else { return nil }
        let end = scanner.position
        scanner.skipWhitespace()
        if scanner.position < scanner.count { scanner.position += 1 }
        return start..<end
    }
}

// MARK: - Strings

extension JSONText {
    /// The string with this escaped content.
    static func string(_ content: ArraySlice<UInt8>) -> JSONValue {
        guard content.contains(UInt8(ascii: "\\")) else {
            return .string(String(decoding: content, as: UTF8.self))
        }
        let (text, isLossless) = unescape(content)
        return isLossless ? .string(text) : .unpairedString(JSONUnpairedString(content: Array(content)))
    }

    /// Resolves escapes. An unpaired surrogate becomes U+FFFD, and the result says so.
    static func unescape(_ content: ArraySlice<UInt8>) -> (text: String, isLossless: Bool) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(content.count)
        var isLossless = true
        var index = content.startIndex
        while index < content.endIndex {
            let byte = content[index]
            guard byte == UInt8(ascii: "\\"), index + 1 < content.endIndex else {
                bytes.append(byte)
                index += 1
                continue
            }
            let escape = content[index + 1]
            index += 2
            switch escape {
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0C)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "u"):
                var unit = codeUnit(content, at: index)
                index += 4
                if UTF16.isLeadSurrogate(UInt16(unit)), index + 6 <= content.endIndex,
                    content[index] == UInt8(ascii: "\\"), content[index + 1] == UInt8(ascii: "u")
                {
                    let trail = codeUnit(content, at: index + 2)
                    if UTF16.isTrailSurrogate(UInt16(trail)) {
                        unit = 0x10000 + (unit & 0x3FF) << 10 + trail & 0x3FF
                        index += 6
                    }
                }
                if let scalar = Unicode.Scalar(unit) {
                    bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
                } else {
                    isLossless = false
                    bytes.append(contentsOf: [0xEF, 0xBF, 0xBD])
                }
            default: bytes.append(escape)
            }
        }
        return (String(decoding: bytes, as: UTF8.self), isLossless)
    }

    private static func codeUnit(_ content: ArraySlice<UInt8>, at index: Int) -> UInt32 {
        var unit: UInt32 = 0
        for offset in 0..<4 where index + offset < content.endIndex {
            unit = unit << 4 | UInt32(hexValue(content[index + offset]) ?? 0)
        }
        return unit
    }

    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension ArraySlice<UInt8> {
    /// The part at a range that counts from the start of the slice.
    @inline(__always)
    subscript(offsetBy range: Range<Int>) -> ArraySlice<UInt8> {
        self[(startIndex + range.lowerBound)..<(startIndex + range.upperBound)]
    }
}
