public import Dramatiq
import Synchronization

/// Writes and reads JSON, and counts what it reads.
public final class CountingEncoder: MessageEncoder {
    private let count = Atomic(0)

    public init() {}

    public var decodedCount: Int { count.load(ordering: .relaxed) }

    public func encode(_ message: Message) throws -> [UInt8] { try JSONMessageEncoder().encode(message) }

    public func decode(_ bytes: [UInt8]) throws -> Message {
        count.wrappingAdd(1, ordering: .relaxed)
        return try JSONMessageEncoder().decode(bytes)
    }
}
