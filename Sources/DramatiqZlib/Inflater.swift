internal import CZlib
internal import Dramatiq

/// Reads streams, one after the other, with the same memory.
///
/// Unchecked because of its pointer to zlib's state. Its methods are called by whoever took it from the pool, and the
/// pool hands it to one at a time, with a lock in between.
final class Inflater: @unchecked Sendable {
    /// How much larger the content is than the stream, as a first guess; more makes the memory grow.
    private static let usualRatio = 8

    // On the heap, since zlib's own state points back to it.
    private let state: UnsafeMutablePointer<z_stream>
    private let dictionaries: [UInt32: [UInt8]]
    private var buffer = GrowingBuffer()

    init?(dictionaries: [UInt32: [UInt8]]) {
        self.dictionaries = dictionaries
        state = .allocate(capacity: 1)
        state.initialize(to: z_stream())
        guard inflateInit_(state, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            state.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(state)
        state.deallocate()
    }

    /// What a stream holds.
    func content(of stream: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] {
        defer { buffer.clear() }
        inflateReset(state)
        var consumed = 0
        while true {
            let hasRoom = buffer.grow(limit: maxSize, hint: stream.count * Self.usualRatio)
            let (code, input, output) = step(stream, consumed, buffer.unused(limit: maxSize))
            consumed += input
            buffer.count += output
            switch code {
            case Z_STREAM_END:
                guard consumed == stream.count else {
                    throw ZlibFailure.corrupt("\(stream.count - consumed) bytes follow its end", offset: consumed)
                }
                return buffer.take()
            case Z_NEED_DICT:
                try setDictionary()
            case Z_OK, Z_BUF_ERROR:
                if input > 0 || output > 0 { continue }
                guard hasRoom else {
                    // All of the stream may have been read and its end be missing; the limit is the likelier one.
                    throw ZlibFailure.tooLarge(limit: maxSize, offset: consumed)
                }
                throw ZlibFailure.corrupt("it is cut short", offset: consumed)
            case Z_MEM_ERROR:
                throw ZlibFailure.noMemoryToDecompress
            default:
                let reason = state.pointee.msg.map { String(cString: $0) } ?? String(cString: zError(code))
                throw ZlibFailure.corrupt(reason, offset: consumed)
            }
        }
    }

    /// Lets zlib work until it needs input or room.
    private func step(
        _ stream: [UInt8],
        _ consumed: Int,
        _ room: UnsafeMutableRawBufferPointer
    ) -> (code: Int32, input: Int, output: Int) {
        stream.withUnsafeBufferPointer { stream in
            // zlib counts with 32 bits.
            let input = UInt32(clamping: stream.count - consumed)
            let output = UInt32(clamping: room.count)
            state.pointee.next_in = UnsafeMutablePointer(mutating: stream.baseAddress.map { $0 + consumed })
            state.pointee.avail_in = input
            state.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
            state.pointee.avail_out = output
            let code = inflate(state, Z_NO_FLUSH)
            return (code, Int(input - state.pointee.avail_in), Int(output - state.pointee.avail_out))
        }
    }

    private func setDictionary() throws(DecodeError) {
        let id = UInt32(truncatingIfNeeded: state.pointee.adler)
        guard let dictionary = dictionaries[id] else { throw ZlibFailure.missingDictionary(id) }
        let code = inflateSetDictionary(state, dictionary, UInt32(dictionary.count))
        guard code == Z_OK else { throw ZlibFailure.corrupt(String(cString: zError(code)), offset: 2) }
    }
}
