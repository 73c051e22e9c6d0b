import BenchmarkSupport
import Dramatiq

/// Encoding and decoding of a small and a large message.
func measureMessages(_ session: inout Session, _ python: Peer) async throws {
    for (size, bytes) in [("250 B", SampleMessage.small), ("20 KB", SampleMessage.large)] {
        let encoder = JSONMessageEncoder()
        let message = try encoder.decode(bytes)
        let text = PeerArgument.string(String(decoding: bytes, as: UTF8.self))
        try await session.compare(
            Comparison(
                "encode \(size)", unit: "messages",
                Contestant("swift") { consume(try encoder.encode(message)) },
                Contestant("python", python, "encode", ["message": text])
            )
        )
        try await session.compare(
            Comparison(
                "decode \(size)", unit: "messages", aims: bytes.count > 10_000 ? [.atLeast(1, times: "orjson")] : [],
                Contestant("swift") { consume(try encoder.decode(bytes)) },
                Contestant("python", python, "decode", ["message": text]),
                Contestant("orjson", python, "decode_orjson", ["message": text])
            )
        )
    }
}
