public import CoreMetrics
public import Dramatiq

/// Counts the bytes that another encoder writes and reads.
///
///     Broker(transport: transport, encoder: MeasuredEncoder(LZ4MessageEncoder(), name: "lz4", factory: prometheus))
///
/// Of what is read it also counts the bytes without compression: by the others they are how much compression saves. Of what
/// is written nobody knows them without more work.
public struct MeasuredEncoder<Base: MessageEncoder>: MessageEncoder {
    /// Writes and reads the messages.
    public let base: Base
    private let written: Counter
    private let read: Counter
    private let readText: Counter

    /// - Parameters:
    ///   - base: writes and reads the messages.
    ///   - name: what the figures call it, as their label `encoder`.
    ///   - factory: makes the figures. Defaults to the one of `MetricsSystem`.
    public init(_ base: Base, name: String, factory: any MetricsFactory = MetricsSystem.factory) {
        self.base = base
        written = MetricDefinition.encoderBytes.counter(factory, name, "out")
        read = MetricDefinition.encoderBytes.counter(factory, name, "in")
        readText = MetricDefinition.encoderTextBytes.counter(factory, name)
    }

    public func encode(_ message: Message) throws -> [UInt8] {
        let bytes = try base.encode(message)
        written.increment(by: bytes.count)
        return bytes
    }

    public func encode(_ message: Message, replacing replaced: [UInt8]) throws -> [UInt8] {
        let bytes = try base.encode(message, replacing: replaced)
        written.increment(by: bytes.count)
        return bytes
    }

    public func decode(_ bytes: [UInt8]) throws -> Message {
        var size = 0
        return try decode(bytes, decodedSize: &size)
    }

    public func decode(_ bytes: [UInt8], decodedSize: inout Int) throws -> Message {
        let message = try base.decode(bytes, decodedSize: &decodedSize)
        read.increment(by: bytes.count)
        readText.increment(by: decodedSize)
        return message
    }

    public func maxDecodedSize(of bytes: [UInt8]) -> Int { base.maxDecodedSize(of: bytes) }
}

extension MeasuredEncoder: FormatRecognizing where Base: FormatRecognizing {
    public func recognizes(_ bytes: [UInt8]) -> Bool { base.recognizes(bytes) }
}
