package import Dramatiq

/// What stored contents look like that are compressed, and all files: a line of text, then the content.
///
///     dramatiq-workflow 1 none 187302
///     [{"__type__":"chain","children":[…]}]
///
/// The words are the format, its version, the codec and the size of the content in bytes. `tail -n +2` gives the
/// content of a file that isn't compressed, and `sha256sum` of that its name.
package struct ContentFormat: Sendable {
    private static let magic = "dramatiq-workflow"
    private static let beginning = Array("\(magic) ".utf8)
    private static let version = 1
    private static let plain = "none"
    /// More than any header takes, the line feed included.
    package static let maxHeaderSize = 96
    /// The largest content unless given: 64 MiB, or a workflow of some 250 000 tasks.
    package static let defaultMaxSize = 64 << 20

    /// Compresses what is written; `nil` for none.
    package let compressor: (any Compressor)?
    /// The compressors that contents may be read with, by name.
    private let readable: [String: any Compressor]
    /// The largest content, in bytes.
    package let maxSize: Int
    /// How much bytes may unpack to whatever their number, and how many times their number if that is more. Workflows
    /// whose messages are all the same but for their ids come to some fifteen times.
    private static let freeSize = 16 << 20
    private static let largestRatio = 128

    package init(compressor: (any Compressor)?, readable: [any Compressor], maxSize: Int) {
        self.compressor = compressor
        self.readable = Dictionary(
            (readable + [compressor].compactMap(\.self)).map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        self.maxSize = maxSize
    }

    /// The compressors that contents may be read with.
    package var readableCompressors: [any Compressor] { Array(readable.values) }

    // MARK: Writing

    /// The content with a header. It is compressed if that makes it smaller.
    ///
    /// - Throws: what the compressor throws.
    package func encode(_ content: [UInt8]) throws -> [UInt8] {
        try compressed(content) ?? header(Self.plain, content.count) + content
    }

    /// The smaller of the two: the content as it is, or compressed and with a header.
    ///
    /// - Throws: what the compressor throws.
    package func pack(_ content: [UInt8]) throws -> [UInt8] {
        if let compressed = try compressed(content), compressed.count < content.count { return compressed }
        // What looks like a header is no JSON; it has to come back all the same.
        return content.starts(with: Self.beginning) ? header(Self.plain, content.count) + content : content
    }

    /// The compressed content with its header; `nil` if that makes it no smaller.
    private func compressed(_ content: [UInt8]) throws -> [UInt8]? {
        guard let compressor else { return nil }
        let compressed = try compressor.compress(content)
        // What would not be read again is stored as it is.
        guard compressed.count < content.count, content.count <= largestContent(of: compressed.count) else {
            return nil
        }
        return header(compressor.name, content.count) + compressed
    }

    /// The most bytes that a number of compressed ones may stand for.
    private func largestContent(of compressed: Int) -> Int {
        min(maxSize, max(Self.freeSize, compressed.multipliedReportingOverflow(by: Self.largestRatio).partialValue))
    }

    private func header(_ codec: String, _ size: Int) -> [UInt8] {
        Array("\(Self.magic) \(Self.version) \(codec) \(size)\n".utf8)
    }

    // MARK: Reading

    /// What was packed.
    ///
    /// - Throws: ``ContentFormatError``.
    package func unpack(_ bytes: [UInt8]) throws(ContentFormatError) -> [UInt8] {
        if bytes.starts(with: Self.beginning) { return try decode(bytes) }
        guard bytes.count <= maxSize else { throw tooLarge(bytes.count) }
        return bytes
    }

    /// What is stored, as its header has it.
    package struct Parts {
        /// What it is compressed with; `nil` for what isn't.
        package let codec: String?
        /// The bytes of the content.
        package let size: Int
        /// What comes behind the header.
        package let payload: ArraySlice<UInt8>
    }

    /// What packed bytes say of their content. What has no header is the content itself.
    ///
    /// - Throws: ``ContentFormatError``.
    package static func parts(of bytes: [UInt8]) throws(ContentFormatError) -> Parts {
        if bytes.starts(with: beginning) { return try headedParts(of: bytes) }
        return Parts(codec: nil, size: bytes.count, payload: bytes[...])
    }

    private static func headedParts(of bytes: [UInt8]) throws(ContentFormatError) -> Parts {
        guard let end = bytes.prefix(maxHeaderSize).firstIndex(of: UInt8(ascii: "\n")) else {
            throw ContentFormatError(.corrupt, "It has no header")
        }
        let words = String(decoding: bytes[..<end], as: UTF8.self).split(
            separator: " ", omittingEmptySubsequences: false)
        guard words.count >= 2, words[0] == magic, let version = Int(words[1]) else {
            throw ContentFormatError(.corrupt, "Its header is damaged")
        }
        guard version == Self.version else {
            throw ContentFormatError(
                .unknownVersion, "It is in version \(version) of the format, known is \(Self.version)")
        }
        guard words.count == 4, let size = Int(words[3]), size >= 0 else {
            throw ContentFormatError(.corrupt, "Its header is damaged")
        }
        return Parts(
            codec: words[2] == plain ? nil : String(words[2]), size: size, payload: bytes[(end + 1)...])
    }

    /// The content behind a header.
    ///
    /// - Throws: ``ContentFormatError``.
    package func decode(_ bytes: [UInt8]) throws(ContentFormatError) -> [UInt8] {
        let parts = try Self.headedParts(of: bytes)
        let (size, compressed) = (parts.size, parts.payload.count)
        guard size <= maxSize else { throw tooLarge(size) }
        guard parts.codec == nil || size <= largestContent(of: compressed) else {
            throw ContentFormatError(
                .tooLarge,
                "The content has \(size) bytes in \(compressed) compressed ones, the limit is "
                    + "\(largestContent(of: compressed))")
        }
        let content = try content(parts)
        guard content.count == size else {
            throw ContentFormatError(.corrupt, "The content has \(content.count) bytes, but \(size) were stored")
        }
        return content
    }

    private func content(_ parts: Parts) throws(ContentFormatError) -> [UInt8] {
        guard let codec = parts.codec else { return Array(parts.payload) }
        guard let compressor = readable[codec] else {
            let known = readable.keys.sorted().joined(separator: ", ")
            throw ContentFormatError(
                .unknownCodec,
                "It is compressed with '\(codec)', but there are only compressors for: "
                    + (known.isEmpty ? "(none)" : known))
        }
        do {
            return try compressor.decompress(Array(parts.payload), maxSize: parts.size)
        } catch {
            // A compressor with another dictionary is another codec; everything else is the bytes' fault.
            throw ContentFormatError(error.code == .missingDictionary ? .unknownCodec : .corrupt, "\(error)")
        }
    }

    package func tooLarge(_ size: Int) -> ContentFormatError {
        ContentFormatError(.tooLarge, "The content has \(size) bytes, the limit is \(maxSize)")
    }
}
