/// Bytes that messages are likely to contain, known to both sides, so that even a small message can be compressed.
///
/// `dramatiq-workflow train-dictionary` makes one from sample messages. Whoever writes with a dictionary needs readers
/// that have it: give it to the workers first. It is known by its ``id``, and carried as a file: a line of text and the
/// content,
///
///     dramatiq-dictionary 1 9f3c2a11 4096⏎
///
/// with the version of the form, the id in hexadecimal and the number of bytes that follow. What follows is what
/// Python's `zlib.decompressobj(zdict=…)` takes.
public struct CompressionDictionary: Sendable, Hashable {
    /// The largest dictionary that is of use to any format, in bytes: 64 KiB. zlib looks at no more than the last half
    /// of such a one.
    public static let maxSize = 1 << 16

    private static let signature = "dramatiq-dictionary"
    private static let version = "1"
    /// Longer than any first line.
    private static let maxHeaderSize = 64

    /// The content, with what is most useful at its end.
    public let bytes: [UInt8]
    /// The content's Adler-32 checksum, by which zlib's format names a dictionary (RFC 1950).
    public let id: UInt32

    /// A dictionary of this content.
    ///
    /// - Throws: ``CompressionDictionaryError`` if it is empty or larger than ``maxSize``.
    public init(_ bytes: [UInt8]) throws(CompressionDictionaryError) {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= Self.maxSize else { throw .tooLarge(size: bytes.count, limit: Self.maxSize) }
        self.bytes = bytes
        id = Adler32.checksum(bytes)
    }

    /// Reads a dictionary's file. Every byte is checked.
    ///
    /// - Throws: ``CompressionDictionaryError``.
    public init(file: [UInt8]) throws(CompressionDictionaryError) {
        let head = file.prefix(Self.maxHeaderSize)
        guard let end = head.firstIndex(of: UInt8(ascii: "\n")) else { throw .notADictionary }
        let words = String(decoding: head[..<end], as: UTF8.self).split(
            separator: " ", omittingEmptySubsequences: false)
        guard words.count >= 2, words[0] == Self.signature else { throw .notADictionary }
        guard words[1] == Self.version else { throw .unknownVersion(String(words[1])) }
        guard words.count == 4, let id = UInt32(words[2], radix: 16), let size = Int(words[3]) else {
            throw .notADictionary
        }
        let content = file[(end + 1)...]
        guard content.count == size else { throw .wrongSize(declared: size, actual: content.count) }
        try self.init(Array(content))
        guard self.id == id else { throw .wrongContent(declared: id, actual: self.id) }
    }

    /// The dictionary as its file holds it.
    public var file: [UInt8] {
        Array("\(Self.signature) \(Self.version) \(Self.text(of: id)) \(bytes.count)\n".utf8) + bytes
    }

    /// An id as people read it: eight hexadecimal digits.
    public static func text(of id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

extension CompressionDictionary: CustomStringConvertible {
    public var description: String { "dictionary \(Self.text(of: id)) (\(bytes.count) bytes)" }
}

/// The checksum of RFC 1950.
private enum Adler32 {
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        let modulus: UInt32 = 65_521
        var low: UInt32 = 1
        var high: UInt32 = 0
        for byte in bytes {
            low = (low + UInt32(byte)) % modulus
            high = (high + low) % modulus
        }
        return high << 16 | low
    }
}
