import CZlib

/// Compresses a stream with zlib (RFC 1950) and counts the bytes that come out, without keeping them.
struct DeflateCounter: ~Copyable {
    /// zlib could not do it; it says so only when it has no memory.
    struct Failure: Error, CustomStringConvertible {
        let code: Int32

        var description: String { "zlib can't compress: \(String(cString: zError(code)))" }
    }

    // On the heap, since zlib's own state points back to it.
    private let stream: UnsafeMutablePointer<z_stream>
    private let output: UnsafeMutableBufferPointer<UInt8>
    private var count = 0

    /// - Throws: ``Failure``.
    init() throws(Failure) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        output = .allocate(capacity: 1 << 14)
        output.initialize(repeating: 0)
        let code = deflateInit_(stream, Z_DEFAULT_COMPRESSION, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw Failure(code: code) }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    /// - Throws: ``Failure``.
    mutating func add(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        // zlib counts its input with 32 bits; chunks of files are far smaller.
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(bytes.count)
        try run(Z_NO_FLUSH)
    }

    /// How many bytes the whole stream takes.
    ///
    /// - Throws: ``Failure``.
    consuming func finish() throws(Failure) -> Int {
        stream.pointee.avail_in = 0
        try run(Z_FINISH)
        return count
    }

    /// Lets zlib work until it has room left, which is when it has nothing more to say.
    private mutating func run(_ flush: Int32) throws(Failure) {
        repeat {
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            let code = deflate(stream, flush)
            guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else { throw Failure(code: code) }
            count += output.count - Int(stream.pointee.avail_out)
        } while stream.pointee.avail_out == 0
    }
}
