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
    /// - Parameter bytes: the message that is replaced, as this encoder decodes it.
    /// - Throws: as ``encode(_:)``.
    func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8]
}

extension MessageEncoder {
    public func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8] {
        try encode(message)
    }
}
