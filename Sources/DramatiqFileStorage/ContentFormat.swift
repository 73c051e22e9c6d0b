import Dramatiq

/// What files look like: a line of text, then the content, compressed or not.
///
///     dramatiq-workflow 1 none 187302
///     {"__type__":"chain","children":[…]}
///
/// The words are the format, its version, the codec and the size of the content in bytes. `tail -n +2` gives the
/// content of a file that isn't compressed, and `sha256sum` of that its name.
struct ContentFormat: Sendable {
    private static let magic = "dramatiq-workflow"
    private static let version = 1
    private static let plain = "none"
    /// More than any header takes, the line feed included.
    static let maxHeaderSize = 96

    /// Compresses what is written; `nil` for none.
    let compressor: (any Compressor)?
    /// The compressors that files may be read with, by name.
    private let readable: [String: any Compressor]
    /// The largest content, in bytes.
    let maxSize: Int
    /// How much a file may unpack to whatever its size, and how many times its bytes if that is more. Workflows whose
    /// messages are all the same but for their ids come to some fifteen times.
    private static let freeSize = 16 << 20
    private static let largestRatio = 128

    init(compressor: (any Compressor)?, readable: [any Compressor], maxSize: Int) {
        self.compressor = compressor
        self.readable = Dictionary(
            (readable + [compressor].compactMap(\.self)).map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        self.maxSize = maxSize
    }

    /// The bytes of a content's file. It is compressed if that makes it smaller.
    ///
    /// - Throws: what the compressor throws.
    func encode(_ content: [UInt8]) throws -> [UInt8] {
        if let compressor {
            let compressed = try compressor.compress(content)
            // What would not be read again is stored as it is.
            if compressed.count < content.count, content.count <= largestContent(of: compressed.count) {
                return header(compressor.name, content.count) + compressed
            }
        }
        return header(Self.plain, content.count) + content
    }

    /// The most bytes that a number of compressed ones may stand for.
    private func largestContent(of compressed: Int) -> Int {
        min(maxSize, max(Self.freeSize, compressed.multipliedReportingOverflow(by: Self.largestRatio).partialValue))
    }

    private func header(_ codec: String, _ size: Int) -> [UInt8] {
        Array("\(Self.magic) \(Self.version) \(codec) \(size)\n".utf8)
    }

    /// The content of a file, compared with the digest that it was asked for by.
    ///
    /// - Throws: ``FileStorageError``, which names the path.
    func decode(_ file: [UInt8], _ digest: ContentDigest, _ path: String) throws(FileStorageError) -> [UInt8] {
        func corrupt(_ reason: String) -> FileStorageError { FileStorageError(.corrupt, "load", path, reason) }
        guard let end = file.prefix(Self.maxHeaderSize).firstIndex(of: UInt8(ascii: "\n")) else {
            throw corrupt("It has no header")
        }
        let words = String(decoding: file[..<end], as: UTF8.self).split(
            separator: " ", omittingEmptySubsequences: false)
        guard words.count >= 2, words[0] == Self.magic, let version = Int(words[1]) else {
            throw corrupt("Its header is damaged")
        }
        guard version == Self.version else {
            throw FileStorageError(
                .unknownVersion, "load", path, "It is in version \(version) of the format, known is \(Self.version)")
        }
        guard words.count == 4, let size = Int(words[3]), size >= 0 else { throw corrupt("Its header is damaged") }
        guard size <= maxSize else {
            throw FileStorageError(
                .tooLarge, "load", path, "The content has \(size) bytes, the limit is \(maxSize)")
        }
        let payload = file[(end + 1)...]
        guard words[2] == Self.plain || size <= largestContent(of: payload.count) else {
            throw FileStorageError(
                .tooLarge, "load", path,
                "The content has \(size) bytes in \(payload.count) compressed ones, the limit is "
                    + "\(largestContent(of: payload.count))")
        }
        let content = try content(payload, String(words[2]), size, path)
        guard content.count == size else {
            throw corrupt("The content has \(content.count) bytes, but \(size) were stored")
        }
        guard ContentDigest(of: content) == digest else { throw corrupt("The content is not what was stored") }
        return content
    }

    private func content(
        _ payload: ArraySlice<UInt8>,
        _ codec: String,
        _ size: Int,
        _ path: String
    ) throws(FileStorageError) -> [UInt8] {
        if codec == Self.plain { return Array(payload) }
        guard let compressor = readable[codec] else {
            let known = readable.keys.sorted().joined(separator: ", ")
            throw FileStorageError(
                .unknownCodec, "load", path,
                "It is compressed with '\(codec)', but there are only compressors for: "
                    + (known.isEmpty ? "(none)" : known))
        }
        do {
            return try compressor.decompress(Array(payload), maxSize: size)
        } catch {
            // A compressor with another dictionary is another codec; everything else is the file's fault.
            let code: FileStorageError.Code = error.code == .missingDictionary ? .unknownCodec : .corrupt
            throw FileStorageError(code, "load", path, "\(error)")
        }
    }
}
