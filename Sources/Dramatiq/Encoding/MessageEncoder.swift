/// Turns messages into the bytes that a transport carries, and back.
///
/// An encoder is used by any number of tasks at once.
public protocol MessageEncoder: Sendable {
    /// The bytes of a message.
    ///
    /// - Throws: what the format can't express or the encoder's limits don't allow.
    func encode(_ message: Message) throws -> [UInt8]

    /// The message that bytes hold. The bytes are hostile until this returns.
    ///
    /// - Throws: ``DecodeError``.
    func decode(_ bytes: [UInt8]) throws -> Message

    /// The bytes of a message that replaces another one, in the format that the other one has, for an encoder that
    /// writes or reads several.
    ///
    /// - Parameters:
    ///   - message: the one that takes its place.
    ///   - bytes: the message that is replaced, as this encoder decodes it.
    /// - Throws: as ``encode(_:)``.
    func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8]

    /// The most bytes that a message can have once it is decompressed, as far as its bytes tell without being read. A
    /// worker asks before it decodes, to stay within its ``Worker/memoryBudget``, so it must be cheap. An encoder that
    /// compresses must implement it, and one that wraps another passes it on. Defaults to the number of bytes.
    func maxDecodedSize(of bytes: [UInt8]) -> Int

    /// As ``decode(_:)``, and tells how many bytes the message has decompressed. Defaults to
    /// ``maxDecodedSize(of:)``.
    ///
    /// - Throws: ``DecodeError``.
    func decode(_ bytes: [UInt8], decodedSize: inout Int) throws -> Message
}

extension MessageEncoder {
    public func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8] {
        try encode(message)
    }

    public func maxDecodedSize(of bytes: [UInt8]) -> Int { bytes.count }

    public func decode(_ bytes: [UInt8], decodedSize: inout Int) throws -> Message {
        decodedSize = maxDecodedSize(of: bytes)
        return try decode(bytes)
    }

    /// Whether a message is so small, also when it is decoded, that nobody has to count what it takes.
    package func isSmall(_ bytes: [UInt8]) -> Bool { maxDecodedSize(of: bytes) <= MessageMemory.small }
}
