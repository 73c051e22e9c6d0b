internal import CZlib
internal import Dramatiq

/// Writes streams, one after the other, with the same memory.
///
/// Unchecked because of its pointer to zlib's state. Its methods are called by whoever took it from the pool, and the
/// pool hands it to one at a time, with a lock in between.
final class Deflater: @unchecked Sendable {
    /// zlib's defaults: how much memory it takes, of 1 to 9, and how far back it looks, of 9 to 15 (32 KiB).
    private static let memoryLevel: Int32 = 8
    private static let windowBits: Int32 = 15

    // On the heap, since zlib's own state points back to it.
    private let state: UnsafeMutablePointer<z_stream>
    private let dictionary: [UInt8]?

    init?(level: Int32, dictionary: [UInt8]?) {
        self.dictionary = dictionary
        state = .allocate(capacity: 1)
        state.initialize(to: z_stream())
        let code = deflateInit2_(
            state, level, Z_DEFLATED, Self.windowBits, Self.memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            state.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(state)
        state.deallocate()
    }

    /// - Throws: `CompressionError`; the deflater must not be used again then.
    func stream(of bytes: [UInt8]) throws(CompressionError) -> [UInt8] {
        var code = deflateReset(state)
        if code == Z_OK, let dictionary {
            code = deflateSetDictionary(state, dictionary, UInt32(dictionary.count))
        }
        guard code == Z_OK else { throw ZlibFailure.notCompressed(code) }
        let bound = Int(deflateBound(state, UInt(bytes.count)))
        let stream = [UInt8](unsafeUninitializedCapacity: bound) { stream, count in
            bytes.withUnsafeBufferPointer { content in
                // zlib counts with 32 bits.
                var given = 0
                repeat {
                    let input = min(content.count - given, Int(UInt32.max))
                    state.pointee.next_in = UnsafeMutablePointer(mutating: content.baseAddress.map { $0 + given })
                    state.pointee.avail_in = UInt32(input)
                    given += input
                    let output = min(stream.count - count, Int(UInt32.max))
                    state.pointee.next_out = stream.baseAddress.map { $0 + count }
                    state.pointee.avail_out = UInt32(output)
                    code = deflate(state, given == content.count ? Z_FINISH : Z_NO_FLUSH)
                    given -= Int(state.pointee.avail_in)
                    count += output - Int(state.pointee.avail_out)
                } while code == Z_OK && count < stream.count
            }
        }
        guard code == Z_STREAM_END else { throw ZlibFailure.notCompressed(code) }
        return stream
    }
}
