/// A message on its way, with the form that it has on the wire, made when a transport asks for it.
public final class Envelope: Sendable {
    /// The message as it is enqueued: a delayed one names its delay queue and carries `eta`.
    public let message: Message
    /// What it was delayed by; `nil` if it is due at once.
    public let delay: Duration?
    private let encoder: any MessageEncoder

    public init(_ message: Message, delay: Duration? = nil, encoder: any MessageEncoder) {
        self.message = message
        self.delay = delay
        self.encoder = encoder
    }

    /// The queue that it goes to.
    public var queueName: String { message.queueName }

    /// The message as the broker's encoder writes it.
    ///
    /// - Throws: what the encoder throws, such as ``EncodeError``.
    public func encoded() throws -> [UInt8] {
        try encoder.encode(message)
    }

    /// The message with one option more, such as the transport's own id for it, as the broker's encoder writes it.
    ///
    /// The option stands where dramatiq puts it: before the `eta` of a message that is delayed.
    ///
    /// - Throws: what the encoder throws, such as ``EncodeError``.
    public func encoded(addingOption name: String, _ value: JSONValue) throws -> [UInt8] {
        try encoder.encode(message(addingOption: name, value))
    }

    /// As ``encoded(addingOption:_:)``, without the bytes.
    package func adding(option name: String, _ value: JSONValue) -> Envelope {
        Envelope(message(addingOption: name, value), delay: delay, encoder: encoder)
    }

    /// The same for another message.
    package func replacing(_ message: Message) -> Envelope {
        Envelope(message, encoder: encoder)
    }

    private func message(addingOption name: String, _ value: JSONValue) -> Message {
        var message = message
        let eta = delay == nil ? nil : message.options["eta"]
        if eta != nil, message.options[name] == nil {
            message.options["eta"] = nil
            message.options[name] = value
            message.options["eta"] = eta
        } else {
            message.options[name] = value
        }
        return message
    }
}

/// A message that a transport handed out and that waits for its settlement.
public struct Delivery: Sendable {
    /// What was delivered.
    ///
    /// There will be no other: a message comes from outside, as bytes, or from this process.
    public enum Payload: Sendable {
        /// Bytes from a server, not looked at yet.
        case bytes([UInt8])
        /// A message that came from this process, as it was encoded.
        case envelope(Envelope)
    }

    /// The queue that it was taken from, such as `default` or `default.DQ`.
    public let queueName: String
    /// How the transport knows it; meaningless to others.
    public let tag: UInt64
    public let payload: Payload
    /// Whether it was delivered before and came back. What is sent again, such as a retry, is another message, and a dead
    /// letter that was requeued counts as one.
    public let isRedelivered: Bool
    private let storedCrashes: UInt16
    /// What the transport keeps about it, to save itself a search.
    package var handle: (any AnyObject & Sendable)?

    /// - Parameters:
    ///   - queueName: the queue that it came from.
    ///   - tag: see ``tag``.
    ///   - payload: the message, as bytes or decoded.
    ///   - isRedelivered: see ``isRedelivered``.
    ///   - crashes: see ``crashes``.
    public init(queueName: String, tag: UInt64, payload: Payload, isRedelivered: Bool, crashes: Int = 0) {
        self.queueName = queueName
        self.tag = tag
        self.payload = payload
        self.isRedelivered = isRedelivered
        storedCrashes = UInt16(clamping: crashes)
    }

    /// How many workers were lost while they read the message or ran its actor: killed, crashed or silent for too long.
    /// Only of a message that is redelivered, from then on, and only if the transport counts them; see
    /// ``TransportConsumer/note(_:isUnderWay:)``.
    public var crashes: Int { Int(storedCrashes) }

    /// The message.
    ///
    /// - Throws: ``DecodeError`` if the bytes are none.
    public func message(decoder: any MessageEncoder) throws -> Message {
        try payload.message(decoder: decoder)
    }
}

extension Delivery.Payload {
    /// The message.
    ///
    /// - Throws: ``DecodeError`` if the bytes are none.
    public func message(decoder: any MessageEncoder) throws -> Message {
        switch self {
        case .bytes(let bytes): try decoder.decode(bytes)
        case .envelope(let envelope): envelope.message
        }
    }
}
