import Dramatiq
import DramatiqLZ4
import DramatiqZlib
import Testing

/// The formats that the tests hold to the same promises.
enum Format: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case lz4, zlib

    var testDescription: String { rawValue }

    func compressor(
        level: Int? = nil,
        dictionary: CompressionDictionary? = nil,
        reading others: [CompressionDictionary] = []
    ) -> any Compressor {
        switch self {
        case .lz4:
            LZ4Compressor(
                level: level ?? LZ4Compressor.defaultLevel, dictionary: dictionary, readingDictionaries: others)
        case .zlib:
            ZlibCompressor(
                level: level ?? ZlibCompressor.defaultLevel, dictionary: dictionary, readingDictionaries: others)
        }
    }

    func encoder(
        minSize: Int? = nil,
        maxDecodedSize: Int = JSONMessageEncoder.defaultMaxSize,
        dictionary: CompressionDictionary? = nil
    ) -> any FormatRecognizing {
        switch self {
        case .lz4:
            LZ4MessageEncoder(
                minSize: minSize, maxDecodedSize: maxDecodedSize, dictionary: dictionary)
        case .zlib:
            ZlibMessageEncoder(
                minSize: minSize, maxDecodedSize: maxDecodedSize, dictionary: dictionary)
        }
    }

    /// The first bytes of what the format writes.
    var beginning: [UInt8] {
        switch self {
        case .lz4: [0x04, 0x22, 0x4D, 0x18]
        case .zlib: [0x78]
        }
    }

    /// Levels at which the library does different things.
    var levels: [Int] {
        switch self {
        case .lz4: [-100_000, -5, 0, 1, 3, 9, 12, 100]
        case .zlib: [-1, 0, 1, 3, 4, 6, 9, 100]
        }
    }
}
