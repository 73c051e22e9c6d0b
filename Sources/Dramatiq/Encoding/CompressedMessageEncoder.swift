/// Compresses what another encoder writes, where that makes it smaller, and reads both forms.
///
/// Compressed and plain messages are told apart by their first bytes, so compression can be switched on and off while
/// messages wait in their queues. Workers must be able to read a format before producers write it: give them this
/// encoder first, or a ``MultiFormatMessageEncoder`` that reads it.
public struct CompressedMessageEncoder<C: Compressor>: MessageEncoder, FormatRecognizing {
    /// The largest message to take, decompressed, in bytes, unless told otherwise: 32 MiB.
    public static var defaultMaxDecodedSize: Int { JSONMessageEncoder.defaultMaxSize }
    /// How many bytes one that is compressed stands for at most, in messages of more than 32 MiB, unless told otherwise:
    /// 100.
    public static var defaultMaxRatio: Int { 100 }
    /// Up to this size, the whole fleet's default, bytes may stand for as many as their format allows.
    private static var anyRatioSize: Int { JSONMessageEncoder.defaultMaxSize }

    public let compressor: C
    /// Messages with fewer bytes are sent as they are.
    public let minSize: Int
    /// The largest message to read or write, in bytes before compression.
    public let maxDecodedSize: Int
    /// How many bytes one that is compressed stands for at most, in messages of more than 32 MiB: so a larger
    /// ``maxDecodedSize`` is not for small messages that unpack to nothing but zeros.
    public let maxRatio: Int
    /// Writes and reads what is compressed.
    public let wrapped: any MessageEncoder

    /// - Parameters:
    ///   - compressor: makes bytes smaller.
    ///   - minSize: messages with fewer bytes are sent as they are.
    ///   - maxDecodedSize: the largest message, in bytes before compression. Defaults to 32 MiB.
    ///   - maxRatio: how many bytes one that is compressed stands for at most, in messages of more than 32 MiB. Defaults
    ///     to 100.
    ///   - wrapped: writes and reads what is compressed. Defaults to plain JSON of up to `maxDecodedSize`.
    public init(
        _ compressor: C,
        minSize: Int,
        maxDecodedSize: Int = CompressedMessageEncoder.defaultMaxDecodedSize,
        maxRatio: Int = CompressedMessageEncoder.defaultMaxRatio,
        wrapping wrapped: (any MessageEncoder)? = nil
    ) {
        self.compressor = compressor
        self.minSize = minSize
        self.maxDecodedSize = maxDecodedSize
        self.maxRatio = max(1, maxRatio)
        self.wrapped = wrapped ?? JSONMessageEncoder(maxSize: maxDecodedSize)
    }

    /// The largest content to take from a number of compressed bytes.
    private func maxSize(compressed count: Int) -> Int {
        let (size, overflow) = count.multipliedReportingOverflow(by: maxRatio)
        return min(maxDecodedSize, max(Self.anyRatioSize, overflow ? .max : size))
    }

    /// The message compressed, or as the wrapped encoder writes it if that is smaller than ``minSize``, no larger than
    /// what compressing gives, or so much larger that it would not be read (``maxRatio``).
    ///
    /// - Throws: ``EncodeError`` if it is larger than ``maxDecodedSize``, and so could not be read again; what the
    ///   wrapped encoder or the compressor throws.
    public func encode(_ message: Message) throws -> [UInt8] {
        let plain = try plain(message)
        guard plain.count >= minSize else { return plain }
        let compressed = try compressor.compress(plain)
        return compressed.count < plain.count && canBeRead(compressed, plain) ? compressed : plain
    }

    private func canBeRead(_ compressed: [UInt8], _ plain: [UInt8]) -> Bool {
        plain.count <= maxSize(compressed: compressed.count)
    }

    /// The message compressed if the other one is, and plain if not.
    ///
    /// - Throws: as ``encode(_:)``.
    public func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8] {
        let plain = try plain(message)
        guard compressor.recognizes(bytes) else { return plain }
        let compressed = try compressor.compress(plain)
        return canBeRead(compressed, plain) ? compressed : plain
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
        return try wrapped.decode(try decompress(bytes))
    }

    public func decode(_ bytes: [UInt8], decodedSize: inout Int) throws -> Message {
        guard compressor.recognizes(bytes) else { return try wrapped.decode(bytes, decodedSize: &decodedSize) }
        return try wrapped.decode(try decompress(bytes), decodedSize: &decodedSize)
    }

    private func decompress(_ bytes: [UInt8]) throws -> [UInt8] {
        try compressor.decompress(bytes, maxSize: maxSize(compressed: bytes.count))
    }

    public func maxDecodedSize(of bytes: [UInt8]) -> Int {
        guard compressor.recognizes(bytes) else { return wrapped.maxDecodedSize(of: bytes) }
        return min(maxSize(compressed: bytes.count), compressor.maxContentSize(of: bytes))
    }

    public func recognizes(_ bytes: [UInt8]) -> Bool {
        compressor.recognizes(bytes)
    }
}
