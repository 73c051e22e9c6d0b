internal import CLZ4
public import Dramatiq

/// Compresses with LZ4, in its frame format: quick, and quicker still to read.
///
/// Frames carry the content's size, so a reader knows how much memory it needs, and a checksum, so that a damaged one
/// is noticed. Any frame with this format's first bytes is read: linked blocks, with or without checksums and sizes,
/// as the `lz4` tool and Python's `lz4.frame` write them.
///
/// With a dictionary, frames name it and their blocks are independent; only such frames are read with one. liblz4 has
/// had the blocks with dictionaries and the name in the header since 1.9. Its functions for whole frames with
/// dictionaries, which promise to stay only since 1.10, are not used.
///
/// The format: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>.
public struct LZ4Compressor: Compressor {
    /// What liblz4 does unless told otherwise. Measured over `Fixtures/workflows/corpus`: 25.3 % of plain JSON is left,
    /// with level 9 it is 21.5 % and takes six times as long.
    public static let defaultLevel = 0
    /// The levels that make a difference.
    public static let levels = -65_537...Int(LZ4HC_CLEVEL_MAX)
    private static let magic: [UInt8] = [0x04, 0x22, 0x4D, 0x18]

    public var name: String { LZ4Failure.format }
    /// 0 is quick; from 3 to 12 it looks longer for a smaller result, below 0 it looks shorter.
    public let level: Int
    /// What frames are written with.
    public let dictionary: CompressionDictionary?

    private let writers: ContextPool
    private let readers: ContextPool

    /// - Parameters:
    ///   - level: how long to look for a smaller result, from 0 (quick) to 12; beyond that it makes no difference.
    ///     Defaults to 0.
    ///   - dictionary: what frames are written with; it is also read. Defaults to none.
    ///   - others: more dictionaries that frames may have been written with. Defaults to none.
    public init(
        level: Int = LZ4Compressor.defaultLevel,
        dictionary: CompressionDictionary? = nil,
        readingDictionaries others: [CompressionDictionary] = []
    ) {
        let level = min(max(level, Self.levels.lowerBound), Self.levels.upperBound)
        self.level = level
        self.dictionary = dictionary
        writers = ContextPool { LZ4FrameWriter(level: Int32(level), dictionary: dictionary) }
        let known = others + (dictionary.map { [$0] } ?? [])
        let dictionaries = Dictionary(known.map { ($0.id, $0.bytes) }, uniquingKeysWith: { $1 })
        readers = ContextPool { LZ4FrameReader(dictionaries: dictionaries) }
    }

    /// Whether the bytes begin a frame; also if they end in its first four bytes.
    public func recognizes(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && bytes.starts(with: Self.magic.prefix(bytes.count))
    }

    public func compress(_ bytes: [UInt8]) throws -> [UInt8] {
        guard let writer = writer() else { throw LZ4Failure.noMemoryToCompress }
        // After an error the context is in no state to be used again.
        let frame = try writer.frame(of: bytes)
        writers.give(writer)
        return frame
    }

    public func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] {
        guard let reader = reader() else { throw LZ4Failure.noMemoryToDecompress }
        defer { if reader.isReusable { readers.give(reader) } }
        return try reader.content(of: bytes, maxSize: maxSize)
    }

    public func maxContentSize(of bytes: [UInt8]) -> Int { LZ4FrameReader.maxContentSize(of: bytes) }

    // The pools hold nothing but what they have made.
    private func writer() -> LZ4FrameWriter? { writers.take().map { unsafeDowncast($0, to: LZ4FrameWriter.self) } }
    private func reader() -> LZ4FrameReader? { readers.take().map { unsafeDowncast($0, to: LZ4FrameReader.self) } }
}
