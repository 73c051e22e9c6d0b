/// Reads what a server sends, piece by piece as it arrives.
///
/// Nothing is looked at twice: what is complete becomes a value, and of what is not only the open arrays, one open
/// string and one open line are kept. What is kept is copied, so that no read buffer is held. Memory grows with the
/// bytes that came and not with what they declare; what it grows to is counted, since a value can take many times its
/// bytes.
///
/// https://redis.io/docs/latest/develop/reference/protocol-spec/
package struct RESPDecoder: ~Copyable {
    private let limits: RESPLimits
    /// The arrays, sets and maps that are not complete, from the outside in.
    private var open: [Aggregate] = []
    /// The string that is not complete.
    private var bulk: Bulk?
    /// The beginning of a line whose end has not come.
    private var line: [UInt8] = []
    /// How many bytes the reply has so far, with those that are declared.
    private var replySize = 0
    /// How many bytes of memory its values take at most, with those that are declared.
    private var memory = 0
    /// How many bytes were read before those of the current call.
    private var offset = 0

    package init(limits: RESPLimits = RESPLimits()) {
        self.limits = limits
    }

    /// Whether nothing is left over from what was decoded.
    package var isBetweenReplies: Bool { open.isEmpty && bulk == nil && line.isEmpty }

    /// Decodes the next bytes and hands over each frame that they complete.
    ///
    /// - Throws: ``RedisError/Code/malformedReply``. Nothing can be decoded after that.
    package mutating func decode(_ bytes: Span<UInt8>, _ receive: (RESPFrame) -> Void) throws(RedisError) {
        var position = 0
        while position < bytes.count {
            let value =
                if bulk != nil {
                    try continueBulk(bytes, &position)
                } else {
                    try readLine(bytes, &position)
                }
            if let value, let frame = try close(value, at: position) {
                replySize = 0
                memory = 0
                receive(frame)
            }
        }
        offset += bytes.count
    }

    /// Puts a value where it belongs, and closes what it completes.
    private mutating func close(_ value: RESPValue, at position: Int) throws(RedisError) -> RESPFrame? {
        var value = value
        while let last = open.indices.last {
            try keep(MemoryCost.element, at: position)
            guard open[last].add(value) else { return nil }
            let aggregate = open.removeLast()
            switch aggregate.kind {
            case .array: value = .array(aggregate.elements)
            case .set: value = .set(aggregate.elements)
            case .map: value = .map(aggregate.pairs)
            case .push: return .push(aggregate.elements)
            case .attribute: return nil
            }
        }
        return .reply(value)
    }

    // MARK: Lines

    /// Reads a line, unless its end has not come. Returns the value if it holds a whole one.
    private mutating func readLine(_ bytes: Span<UInt8>, _ position: inout Int) throws(RedisError) -> RESPValue? {
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        guard line.count + position - start <= limits.lineLength else {
            throw malformed("a line is longer than \(limits.lineLength) bytes", at: start)
        }
        guard position < bytes.count else {
            line.append(contentsOf: bytes.extracting(start..<position))
            return nil
        }
        position += 1
        if line.isEmpty { return try parseLine(bytes.extracting(start..<position - 1), at: start) }
        line.append(contentsOf: bytes.extracting(start..<position - 1))
        let whole = line
        line.removeAll(keepingCapacity: whole.count < 256)
        return try parseLine(whole.span, at: start)
    }

    /// Parses a line that ends before its line feed.
    private mutating func parseLine(_ line: Span<UInt8>, at position: Int) throws(RedisError) -> RESPValue? {
        guard line.count >= 2, line[line.count - 1] == UInt8(ascii: "\r") else {
            throw malformed("a line doesn't end in CR LF", at: position)
        }
        try count(line.count + 1, at: position)
        let content = line.extracting(1..<line.count - 1)
        switch line[0] {
        case UInt8(ascii: "+"):
            if content.isOK { return .string(Self.ok) }
            try keep(MemoryCost.string(content.count), at: position)
            return .string(Array(copying: content))
        case UInt8(ascii: "-"):
            try keep(MemoryCost.error(content.count), at: position)
            return .error(RedisError(.server, String(copying: content)))
        case UInt8(ascii: ":"): return .integer(try integer(content, at: position))
        case UInt8(ascii: "$"): return try openBulk(.string, content, at: position)
        case UInt8(ascii: "!"): return try openBulk(.error, content, at: position)
        case UInt8(ascii: "="): return try openBulk(.verbatim, content, at: position)
        case UInt8(ascii: "*"): return try openAggregate(.array, content, at: position)
        case UInt8(ascii: "~"): return try openAggregate(.set, content, at: position)
        case UInt8(ascii: "%"): return try openAggregate(.map, content, at: position)
        case UInt8(ascii: ">"): return try openAggregate(.push, content, at: position)
        case UInt8(ascii: "|"): return try openAggregate(.attribute, content, at: position)
        default: return try scalar(line[0], content, at: position)
        }
    }

    /// The rarer values that are a line.
    private mutating func scalar(_ type: UInt8, _ content: Span<UInt8>, at position: Int) throws(RedisError)
        -> RESPValue
    {
        switch type {
        case UInt8(ascii: "_"):
            guard content.isEmpty else { throw malformed("a null has content", at: position) }
            return .null
        case UInt8(ascii: "#"):
            if content.count == 1, content[0] == UInt8(ascii: "t") { return .boolean(true) }
            if content.count == 1, content[0] == UInt8(ascii: "f") { return .boolean(false) }
            throw malformed("a boolean is neither t nor f", at: position)
        case UInt8(ascii: ","):
            guard let number = Double(String(copying: content)) else {
                throw malformed("a double is none", at: position)
            }
            return .double(number)
        case UInt8(ascii: "("):
            guard content.isInteger else { throw malformed("a big number is none", at: position) }
            try keep(MemoryCost.string(content.count), at: position)
            return .bigNumber(Array(copying: content))
        default:
            throw malformed("a reply starts with byte \(type)", at: position)
        }
    }

    private func integer(_ content: Span<UInt8>, at position: Int) throws(RedisError) -> Int {
        guard let number = content.integer else { throw malformed("an integer is none, or too large", at: position) }
        return number
    }

    // MARK: Strings

    private mutating func openBulk(
        _ kind: Bulk.Kind,
        _ content: Span<UInt8>,
        at position: Int
    ) throws(RedisError) -> RESPValue? {
        let length = try integer(content, at: position)
        if length == -1, kind == .string { return .null }
        guard length >= 0 else { throw malformed("a string has a length of \(length)", at: position) }
        if kind == .error, length > limits.lineLength {
            throw malformed("an error is longer than \(limits.lineLength) bytes", at: position)
        }
        try count(length, at: position)
        try keep(kind == .error ? MemoryCost.error(length) : MemoryCost.string(length), at: position)
        bulk = Bulk(kind: kind, length: length)
        return nil
    }

    /// Takes what is there of the open string and its end. Returns the value when all of it came.
    private mutating func continueBulk(_ bytes: Span<UInt8>, _ position: inout Int) throws(RedisError) -> RESPValue? {
        guard var bulk = self.bulk.take() else { return nil }
        bulk.take(bytes, &position)
        while bulk.isFull, bulk.endRead < 2 {
            guard position < bytes.count else { break }
            guard bytes[position] == (bulk.endRead == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n")) else {
                throw malformed("a string of \(bulk.length) bytes doesn't end in CR LF", at: position)
            }
            bulk.endRead += 1
            position += 1
        }
        guard bulk.endRead == 2 else {
            self.bulk = bulk
            return nil
        }
        switch bulk.kind {
        case .string: return .string(bulk.bytes)
        case .error: return .error(RedisError(.server, String(decoding: bulk.bytes, as: UTF8.self)))
        case .verbatim:
            guard bulk.length >= 4, bulk.bytes[3] == UInt8(ascii: ":") else {
                throw malformed("a verbatim string has no format", at: position)
            }
            bulk.dropFormat()
            return .string(bulk.bytes)
        }
    }

    // MARK: Arrays, sets and maps

    private mutating func openAggregate(
        _ kind: Aggregate.Kind,
        _ content: Span<UInt8>,
        at position: Int
    ) throws(RedisError) -> RESPValue? {
        let length = try integer(content, at: position)
        if length == -1, kind == .array { return .null }
        guard length >= 0 else { throw malformed("an array has a length of \(length)", at: position) }
        // No element is shorter than `_`, CR and LF.
        guard length <= (limits.replySize - replySize) / (kind.isPaired ? 6 : 3) else {
            throw malformed("an array of \(length) exceeds the limit of \(limits.replySize) bytes", at: position)
        }
        guard kind != .push || open.isEmpty else { throw malformed("a push is inside a reply", at: position) }
        guard open.count < limits.depth else {
            throw malformed("arrays are nested deeper than \(limits.depth) levels", at: position)
        }
        if length == 0 {
            switch kind {
            case .array: return .array([])
            case .set: return .set([])
            case .map: return .map([])
            case .push: throw malformed("a push is empty", at: position)
            case .attribute: return nil
            }
        }
        try keep(MemoryCost.aggregate, at: position)
        open.append(Aggregate(kind, length: length))
        return nil
    }

    // MARK: Limits

    private mutating func count(_ size: Int, at position: Int) throws(RedisError) {
        guard size <= limits.replySize - replySize else {
            throw malformed("a reply is longer than \(limits.replySize) bytes", at: position)
        }
        replySize += size
    }

    /// Counts what a value takes.
    private mutating func keep(_ size: Int, at position: Int) throws(RedisError) {
        guard size <= limits.memory - memory else {
            throw malformed("a reply takes more than \(limits.memory) bytes of memory", at: position)
        }
        memory += size
    }

    private func malformed(_ what: String, at position: Int) -> RedisError {
        RedisError(
            .malformedReply,
            "The server's bytes can't be read: \(what), at byte \(offset + position) of the connection",
            mayHaveTakenEffect: true)
    }

    private static let ok = Array("OK".utf8)
}

/// How many bytes of memory a value takes at most, beside its place in an array.
private enum MemoryCost {
    /// A place in an array that is growing: it is there three times while the elements move.
    static let element = 3 * MemoryLayout<RESPValue>.stride
    static let aggregate = 64

    /// A string that is growing is there one and a half times.
    static func string(_ length: Int) -> Int { 64 + length + length / 2 }
    static func error(_ length: Int) -> Int { 256 + 2 * length }
}

/// An array, set or map that is not complete.
private struct Aggregate {
    enum Kind {
        case array, set, map, push, attribute

        var isPaired: Bool { self == .map || self == .attribute }
    }

    let kind: Kind
    private(set) var elements: [RESPValue] = []
    private var missing: Int

    init(_ kind: Kind, length: Int) {
        self.kind = kind
        missing = kind.isPaired ? 2 * length : length
        if kind != .attribute { elements.reserveCapacity(min(missing, 1024)) }
    }

    /// Takes a value; returns whether that was the last one.
    mutating func add(_ value: RESPValue) -> Bool {
        if kind != .attribute { elements.append(value) }
        missing -= 1
        return missing == 0
    }

    var pairs: [RESPValue.Pair] {
        stride(from: 0, to: elements.count, by: 2).map {
            RESPValue.Pair(key: elements[$0], value: elements[$0 + 1])
        }
    }
}

/// A string that is not complete.
private struct Bulk {
    enum Kind {
        case string, error, verbatim
    }

    let kind: Kind
    let length: Int
    private(set) var bytes: [UInt8] = []
    /// How many of the two bytes that end it were read.
    var endRead = 0

    init(kind: Kind, length: Int) {
        self.kind = kind
        self.length = length
    }

    var isFull: Bool { bytes.count == length }

    mutating func take(_ source: Span<UInt8>, _ position: inout Int) {
        let count = min(length - bytes.count, source.count - position)
        guard count > 0 else { return }
        let part = source.extracting(position..<position + count)
        let needed = bytes.count + count
        // Never more than there will be, however it grows.
        if bytes.capacity < needed { bytes.reserveCapacity(min(length, max(needed, 2 * bytes.count))) }
        bytes.append(contentsOf: part)
        position += count
    }

    /// Leaves out what a verbatim string begins with.
    mutating func dropFormat() {
        bytes.removeFirst(4)
    }
}
