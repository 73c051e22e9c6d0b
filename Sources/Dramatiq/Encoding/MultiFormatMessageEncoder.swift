/// An encoder that knows its own messages by their first bytes.
public protocol FormatRecognizing: MessageEncoder {
    /// Whether bytes begin as this encoder's format does. Plain JSON is never claimed.
    func recognizes(_ bytes: [UInt8]) -> Bool
}

/// Writes one format and reads several, so that a fleet can change its format while it runs.
///
///     // First everywhere: still writes JSON, and reads what comes next.
///     MultiFormatMessageEncoder(writing: JSONMessageEncoder(), reading: LZ4MessageEncoder(), ZlibMessageEncoder())
///     // Once that runs everywhere, where messages are made:
///     MultiFormatMessageEncoder(writing: LZ4MessageEncoder(), reading: ZlibMessageEncoder())
public struct MultiFormatMessageEncoder: MessageEncoder {
    /// Writes all messages and reads those that no other encoder recognizes.
    public let writer: any MessageEncoder
    /// Read the messages in their formats, the first that recognizes one.
    public let readers: [any FormatRecognizing]

    /// - Parameters:
    ///   - writer: writes all messages and reads those that no other encoder recognizes, plain JSON among them.
    ///   - readers: read the messages in their formats, the first that recognizes one.
    public init(writing writer: any MessageEncoder, reading readers: any FormatRecognizing...) {
        self.init(writing: writer, reading: readers)
    }

    /// - Parameters: as of ``init(writing:reading:)-(_,FormatRecognizing...)``.
    public init(writing writer: any MessageEncoder, reading readers: [any FormatRecognizing]) {
        self.writer = writer
        self.readers = readers
    }

    public func encode(_ message: Message) throws -> [UInt8] {
        try writer.encode(message)
    }

    public func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8] {
        try decoder(of: bytes).encode(message, replacing: bytes)
    }

    public func decode(_ bytes: [UInt8]) throws -> Message {
        try decoder(of: bytes).decode(bytes)
    }

    public func maxDecodedSize(of bytes: [UInt8]) -> Int { decoder(of: bytes).maxDecodedSize(of: bytes) }

    public func decode(_ bytes: [UInt8], decodedSize: inout Int) throws -> Message {
        try decoder(of: bytes).decode(bytes, decodedSize: &decodedSize)
    }

    /// Who reads a message.
    private func decoder(of bytes: [UInt8]) -> any MessageEncoder {
        for reader in readers where reader.recognizes(bytes) { return reader }
        return writer
    }
}
