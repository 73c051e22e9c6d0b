internal import CZlib
public import Dramatiq

/// Compresses with zlib, as RFC 1950 has it: smaller than LZ4, and slower.
///
/// Streams carry a checksum. With a dictionary, they name it (FDICT), and Python reads them with
/// `zlib.decompressobj(zdict=…)`.
public struct ZlibCompressor: Compressor {
    /// The first level with which zlib looks for better repetitions than the next one. Measured over
    /// `Fixtures/workflows/corpus`: 15.4 % of plain JSON is left, with level 1 it is 16.7 %, with 6 again 15.4 %.
    public static let defaultLevel = 4
    /// The levels that make a difference.
    public static let levels = Int(Z_BEST_SPEED)...Int(Z_BEST_COMPRESSION)
    private static let methodDeflate: UInt8 = 8
    private static let largestWindow: UInt8 = 7
    /// A repetition of 258 bytes takes no less than two bits.
    private static let largestRatio = 1032

    public var name: String { ZlibFailure.format }
    /// From 1 (quick) to 9 (small).
    public let level: Int
    /// What streams are written with.
    public let dictionary: CompressionDictionary?

    private let deflaters: ContextPool
    private let inflaters: ContextPool

    /// - Parameters:
    ///   - level: how long to look for a smaller result, from 1 (quick) to 9; beyond these it makes no difference.
    ///     Defaults to 4.
    ///   - dictionary: what streams are written with; it is also read. Defaults to none.
    ///   - others: more dictionaries that streams may have been written with. Defaults to none.
    public init(
        level: Int = ZlibCompressor.defaultLevel,
        dictionary: CompressionDictionary? = nil,
        readingDictionaries others: [CompressionDictionary] = []
    ) {
        let level = min(max(level, Self.levels.lowerBound), Self.levels.upperBound)
        self.level = level
        self.dictionary = dictionary
        deflaters = ContextPool { Deflater(level: Int32(level), dictionary: dictionary?.bytes) }
        let known = others + (dictionary.map { [$0] } ?? [])
        let dictionaries = Dictionary(known.map { ($0.id, $0.bytes) }, uniquingKeysWith: { $1 })
        inflaters = ContextPool { Inflater(dictionaries: dictionaries) }
    }

    /// Whether the bytes begin a stream, by the two bytes of its header: method, window and a check that makes them a
    /// multiple of 31. Of a single byte, the first half of that.
    public func recognizes(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, first & 0xF == Self.methodDeflate, first >> 4 <= Self.largestWindow else {
            return false
        }
        return bytes.count == 1 || (Int(first) << 8 | Int(bytes[1])).isMultiple(of: 31)
    }

    public func compress(_ bytes: [UInt8]) throws -> [UInt8] {
        guard let deflater = deflater() else { throw ZlibFailure.noMemoryToCompress }
        // After an error the stream is in no state to be used again.
        let stream = try deflater.stream(of: bytes)
        deflaters.give(deflater)
        return stream
    }

    public func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] {
        guard let inflater = inflater() else { throw ZlibFailure.noMemoryToDecompress }
        // Begins with a reset, so an error does no harm to the next one.
        defer { inflaters.give(inflater) }
        return try inflater.content(of: bytes, maxSize: maxSize)
    }

    public func maxContentSize(of bytes: [UInt8]) -> Int {
        let (size, overflow) = bytes.count.multipliedReportingOverflow(by: Self.largestRatio)
        return overflow ? .max : size
    }

    // The pools hold nothing but what they have made.
    private func deflater() -> Deflater? { deflaters.take().map { unsafeDowncast($0, to: Deflater.self) } }
    private func inflater() -> Inflater? { inflaters.take().map { unsafeDowncast($0, to: Inflater.self) } }
}
