import CRawCompression
import Dramatiq
import DramatiqLZ4
import DramatiqZlib

/// A format, as this library has it and as its C library has it.
enum Format: String, CaseIterable {
    case lz4, zlib

    var compressor: any Compressor {
        switch self {
        case .lz4: LZ4Compressor()
        case .zlib: ZlibCompressor()
        }
    }

    var encoder: any MessageEncoder {
        switch self {
        case .lz4: LZ4MessageEncoder()
        case .zlib: ZlibMessageEncoder()
        }
    }

    var level: Int {
        switch self {
        case .lz4: LZ4Compressor.defaultLevel
        case .zlib: ZlibCompressor.defaultLevel
        }
    }

    var library: String {
        switch self {
        case .lz4: "liblz4"
        case .zlib: "libz"
        }
    }

    func rawCompress(_ raw: OpaquePointer?, _ bytes: [UInt8]) -> Int {
        switch self {
        case .lz4: raw_lz4_compress(raw, bytes, bytes.count)
        case .zlib: raw_zlib_compress(raw, bytes, bytes.count)
        }
    }

    func rawDecompress(_ raw: OpaquePointer?, _ bytes: [UInt8]) -> Int {
        switch self {
        case .lz4: raw_lz4_decompress(raw, bytes, bytes.count)
        case .zlib: raw_zlib_decompress(raw, bytes, bytes.count)
        }
    }
}
