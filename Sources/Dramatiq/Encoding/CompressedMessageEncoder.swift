/// Compresses what another encoder writes, where that makes it smaller, and reads both forms.
///
/// Compressed and plain messages are told apart by their first bytes, so compression can be switched on and off while
/// messages wait in their queues. Workers must be able to read a format before producers write it: give them this
/// encoder first, or a ``MultiFormatMessageEncoder`` that reads it.
public struct CompressedMessageEncoder<C: Compressor>: MessageEncoder, FormatRecognizing {
    /// The largest message to take, decompressed, in bytes, unless told otherwise: 64 MiB.
    public static var defaultMaxDecodedSize: Int { JSONMessageEncoder.defaultMaxSize }

    public let compressor: C
    /// Messages with fewer bytes are sent as they are.
    public let minSize: Int
    /// The largest message to read or write, in bytes before compression.
    public let maxDecodedSize: Int
    /// Writes and reads what is compressed.
    public let wrapped: any MessageEncoder

    /// - Parameters:
    ///   - compressor: makes bytes smaller.
    ///   - minSize: messages with fewer bytes are sent as they are.
    ///   - maxDecodedSize: the largest message, in bytes before compression. Defaults to 64 MiB.
    ///   - wrapped: writes and reads what is compressed. Defaults to plain JSON.
    public init(
        _ compressor: C,
        minSize: Int,
        maxDecodedSize: Int = CompressedMessageEncoder.defaultMaxDecodedSize,
        wrapping wrapped: any MessageEncoder = JSONMessageEncoder()
    ) {
        self.compressor = compressor
        self.minSize = minSize
        self.maxDecodedSize = maxDecodedSize
        self.wrapped = wrapped
    }

    /// The message compressed, or as the wrapped encoder writes it if that is smaller than ``minSize`` or no larger
    /// than what compressing gives.
    ///
    /// - Throws: ``EncodeError`` if it is larger than ``maxDecodedSize``, and so could not be read again; what the
    ///   wrapped encoder or the compressor throws.
    public func encode(_ message: Message) throws -> [UInt8] {
        let plain = try plain(message)
        guard plain.count >= minSize else { return plain }
        let compressed = try compressor.compress(plain)
        return compressed.count < plain.count ? compressed : plain
    }

    /// The message compressed if the other one is, and plain if not.
    ///
    /// - Throws: as ``encode(_:)``.
    public func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8] {
        let plain = try plain(message)
        return compressor.recognizes(bytes) ? try compressor.compress(plain) : plain
    }

    private func plain(_ message: Message) throws -> [UInt8] {
        let plain = try wrapped.encode(message)
        guard plain.count <= maxDecodedSize else {
            throw EncodeError.tooLarge(messageID: message.messageID, size: plain.count, limit: maxDecodedSize)
        }
        return plain
    }

    /// Reads a message in either form.
    ///
    /// - Throws: ``DecodeError`` from the compressor or the wrapped encoder.
    public func decode(_ bytes: [UInt8]) throws -> Message {
        guard compressor.recognizes(bytes) else { return try wrapped.decode(bytes) }
        return try wrapped.decode(try compressor.decompress(bytes, maxSize: maxDecodedSize))
    }

    public func recognizes(_ bytes: [UInt8]) -> Bool {
        compressor.recognizes(bytes)
    }
}
