import Dramatiq
import NIOCore

/// What a server answers to a ``MetaCommand``.
enum MetaReply: Sendable, Equatable {
    /// Done, with what was asked for.
    case done(Item)
    /// The key isn't there.
    case missing
    /// Not done: the key is there already.
    case notStored
    /// Not done: the key was changed meanwhile.
    case changed
    /// The answer to ``MetaCommand/nothing``.
    case nothing
    /// The server's words.
    case error(String)

    struct Item: Sendable, Equatable {
        var value: [UInt8] = []
        var flags: UInt32?
        var token: UInt64?
        /// How long the key still lives, in seconds; -1 for ever.
        var seconds: Int?
    }
}

/// Takes replies out of bytes as they come.
struct MetaReplyDecoder {
    /// The longest line, in bytes.
    static let maxLine = 4096
    /// The longest value, in bytes: twice a server's own limit, unless that is set higher, and what the longest list of a
    /// barrier's parties takes.
    static let maxValue = 2 << 20

    private var buffer = ByteBuffer()

    mutating func append(_ bytes: inout ByteBuffer) {
        buffer.discardReadBytes()
        buffer.writeBuffer(&bytes)
    }

    /// The next reply; `nil` until more bytes have come.
    ///
    /// - Throws: ``MemcachedError/Code/malformedReply``, after which nothing can be read any more.
    mutating func next() throws(MemcachedError) -> MetaReply? {
        let view = buffer.readableBytesView
        guard let end = view.prefix(Self.maxLine).firstIndex(of: UInt8(ascii: "\n")) else {
            if view.count >= Self.maxLine { throw Self.malformed("a line that doesn't end") }
            return nil
        }
        guard end > view.startIndex, view[end - 1] == UInt8(ascii: "\r") else {
            throw Self.malformed("a line without its end")
        }
        let line = String(decoding: view[..<(end - 1)], as: UTF8.self)
        let words = line.split(separator: " ")
        let rest = view[(end + 1)...]
        var length = end + 1 - view.startIndex
        let reply: MetaReply
        switch words.first {
        case "VA":
            guard words.count >= 2, let size = Int(words[1]), (0...Self.maxValue).contains(size) else {
                throw Self.malformed(line)
            }
            guard rest.count >= size + 2 else { return nil }
            guard rest.dropFirst(size).prefix(2).elementsEqual("\r\n".utf8) else {
                throw Self.malformed("a value without its end")
            }
            reply = .done(try Self.item(words.dropFirst(2), value: Array(rest.prefix(size))))
            length += size + 2
        case "MN": reply = .nothing
        case "HD": reply = .done(try Self.item(words.dropFirst()))
        case "EN", "NF": reply = .missing
        case "NS": reply = .notStored
        case "EX": reply = .changed
        case "ERROR", "CLIENT_ERROR", "SERVER_ERROR": reply = .error(line)
        default: throw Self.malformed(line)
        }
        buffer.moveReaderIndex(forwardBy: length)
        return reply
    }

    private static func item(
        _ flags: ArraySlice<Substring>,
        value: [UInt8] = []
    ) throws(MemcachedError) -> MetaReply.Item {
        var item = MetaReply.Item(value: value)
        for flag in flags {
            let number = flag.dropFirst()
            switch flag.first {
            case "f": item.flags = try parse(number, flag)
            case "c": item.token = try parse(number, flag)
            case "t": item.seconds = try parse(number, flag)
            default: break
            }
        }
        return item
    }

    private static func parse<Number: FixedWidthInteger>(
        _ text: Substring,
        _ flag: Substring
    ) throws(MemcachedError) -> Number {
        guard let number = Number(text) else { throw malformed(String(flag)) }
        return number
    }

    private static func malformed(_ what: String) -> MemcachedError {
        MemcachedError(
            .malformedReply, "The server sent \(what.excerpt(maxBytes: 200).debugDescription)", mayHaveTakenEffect: true
        )
    }
}
