/// Reads the few kinds of XML that S3 answers with, one piece after the other, in time and memory that are linear in the
/// text. Whatever is not like them is an error: document types, entities of one's own, deep nesting.
struct XMLScanner {
    enum Piece: Equatable {
        case start(String)
        case text(String)
        case end
    }

    /// It can't be read.
    struct Malformed: Error {}

    private static let maxDepth = 16
    private static let maxName = 128

    private let bytes: [UInt8]
    private var position = 0
    /// The names of the elements that are open.
    private var open: [ArraySlice<UInt8>] = []
    /// An element without content ends where it starts.
    private var isEmpty = false
    private var hasRoot = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// - Returns: `nil` at the end of the document.
    mutating func next() throws(Malformed) -> Piece? {
        if isEmpty {
            isEmpty = false
            open.removeLast()
            return .end
        }
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "<") else {
                let start = position
                position = bytes[start...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
                let text = bytes[start..<position]
                if open.isEmpty {
                    // Nothing but white space and a byte order mark.
                    guard text.allSatisfy({ $0 <= 0x20 || $0 >= 0x80 }) else { throw Malformed() }
                    continue
                }
                return .text(try Self.unescaped(text))
            }
            if try skip("<?", to: "?>") { continue }
            if try skip("<!--", to: "-->") { continue }
            if let data = try content("<![CDATA[", to: "]]>") {
                guard !open.isEmpty, let text = String(validating: data, as: UTF8.self) else { throw Malformed() }
                return .text(text)
            }
            return try tag()
        }
        guard open.isEmpty, hasRoot else { throw Malformed() }
        return nil
    }

    private mutating func tag() throws(Malformed) -> Piece {
        position += 1
        let isEnd = position < bytes.count && bytes[position] == UInt8(ascii: "/")
        if isEnd { position += 1 }
        let name = bytes[position...].prefix { Self.isName($0) }
        guard (1...Self.maxName).contains(name.count) else { throw Malformed() }
        position = name.endIndex
        // Attributes, in which a quoted text may hold anything.
        var quote: UInt8?
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if let mark = quote {
                if byte == mark { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: "<") {
                throw Malformed()
            } else if byte == UInt8(ascii: ">") {
                return try piece(name, isEnd: isEnd, isEmpty: bytes[position - 2] == UInt8(ascii: "/"))
            }
        }
        throw Malformed()
    }

    private mutating func piece(_ name: ArraySlice<UInt8>, isEnd: Bool, isEmpty: Bool) throws(Malformed) -> Piece {
        if isEnd {
            guard open.popLast()?.elementsEqual(name) ?? false else { throw Malformed() }
            return .end
        }
        guard !open.isEmpty || !hasRoot, open.count < Self.maxDepth else { throw Malformed() }
        hasRoot = true
        open.append(name)
        self.isEmpty = isEmpty
        return .start(String(decoding: name, as: UTF8.self))
    }

    private mutating func skip(_ start: StaticString, to end: StaticString) throws(Malformed) -> Bool {
        try content(start, to: end) != nil
    }

    /// What stands between two marks, if the first one is here.
    private mutating func content(_ start: StaticString, to end: StaticString) throws(Malformed) -> ArraySlice<UInt8>? {
        guard isHere(start, at: position) else { return nil }
        let first = position + start.utf8CodeUnitCount
        var last = first
        while last < bytes.count {
            if isHere(end, at: last) {
                position = last + end.utf8CodeUnitCount
                return bytes[first..<last]
            }
            last += 1
        }
        throw Malformed()
    }

    private func isHere(_ mark: StaticString, at place: Int) -> Bool {
        mark.withUTF8Buffer { mark in bytes[place...].starts(with: mark) }
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func unescaped(_ bytes: ArraySlice<UInt8>) throws(Malformed) -> String {
        guard bytes.contains(UInt8(ascii: "&")) else {
            guard let text = String(validating: bytes, as: UTF8.self) else { throw Malformed() }
            return text
        }
        var text: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "&") else {
                text.append(byte)
                continue
            }
            guard let end = rest.prefix(10).firstIndex(of: UInt8(ascii: ";")) else { throw Malformed() }
            text += try scalar(String(decoding: rest[..<end], as: UTF8.self)).utf8
            rest = rest[(end + 1)...]
        }
        guard let result = String(validating: text, as: UTF8.self) else { throw Malformed() }
        return result
    }

    private static func scalar(_ entity: String) throws(Malformed) -> String {
        switch entity {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            let number =
                entity.hasPrefix("#x")
                ? UInt32(entity.dropFirst(2), radix: 16) : entity.hasPrefix("#") ? UInt32(entity.dropFirst()) : nil
            guard let scalar = number.flatMap(Unicode.Scalar.init) else { throw Malformed() }
            return String(scalar)
        }
    }
}

/// An element with what is in it.
struct XMLElement {
    let name: String
    var text = ""
    var children: [XMLElement] = []

    /// Reads a document.
    init(parsing bytes: [UInt8]) throws(XMLScanner.Malformed) {
        var scanner = XMLScanner(bytes)
        var open: [XMLElement] = []
        var root: XMLElement?
        while let piece = try scanner.next() {
            switch piece {
            case .start(let name): open.append(XMLElement(name: name))
            case .text(let text): open[open.count - 1].text += text
            case .end:
                let element = open.removeLast()
                if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
            }
        }
        guard let root else { throw XMLScanner.Malformed() }
        self = root
    }

    private init(name: String) {
        self.name = name
    }

    /// The first child with a name.
    func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The text of the first child with a name.
    subscript(name: String) -> String? { child(name)?.text }
}
