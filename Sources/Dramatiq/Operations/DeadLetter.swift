#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A message that could not be processed and was put aside.
public struct DeadLetter: Sendable {
    /// What the transport knows it by.
    public let id: String
    /// The queue that it belongs to, without `.XQ`.
    public let queueName: String
    public let payload: Delivery.Payload
    /// Why it is here, for a person to read.
    public let reason: String
    /// When it was put aside.
    public let timestamp: Date

    public init(id: String, queueName: String, payload: Delivery.Payload, reason: String, timestamp: Date) {
        self.id = id
        self.queueName = queueName
        self.payload = payload
        self.reason = reason
        self.timestamp = timestamp
    }

    /// The message.
    ///
    /// - Throws: ``DecodeError`` if the bytes are none.
    public func message(decoder: any MessageEncoder = JSONMessageEncoder()) throws -> Message {
        try payload.message(decoder: decoder)
    }
}
