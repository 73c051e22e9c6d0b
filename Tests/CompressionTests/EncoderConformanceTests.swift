import Dramatiq
import DramatiqTestKit
import Testing

/// The promises to encoders, those that compress and plain JSON.
@Suite(.timeLimit(.minutes(10))) struct EncoderConformanceTests {
    private struct Subject: EncoderSubject {
        let claims: Set<Claim> = [.plainJSON]
        let make: @Sendable () throws -> any MessageEncoder
        func makeEncoder() throws -> any MessageEncoder { try make() }
    }

    private static let encoders: [(name: String, make: @Sendable () throws -> any MessageEncoder)] = [
        ("json", { JSONMessageEncoder() }),
        ("lz4", { Format.lz4.encoder() }),
        ("lz4, all", { Format.lz4.encoder(minSize: 0) }),
        ("zlib", { Format.zlib.encoder() }),
        ("zlib, all", { Format.zlib.encoder(minSize: 0) }),
        (
            "zlib with a dictionary",
            { Format.zlib.encoder(minSize: 0, dictionary: try CompressionDictionary(Samples.text(5000, seed: 1))) }
        ),
        (
            "lz4 with a dictionary",
            { Format.lz4.encoder(minSize: 0, dictionary: try CompressionDictionary(Samples.text(5000, seed: 1))) }
        ),
        (
            "one that reads several",
            {
                MultiFormatMessageEncoder(
                    writing: Format.lz4.encoder(minSize: 0), reading: Format.zlib.encoder())
            }
        ),
    ]

    @Test(arguments: EncoderPromises.all, encoders.map(\.name))
    func messages(promise: Promise<any EncoderSubject>, encoder: String) async throws {
        let make = try #require(Self.encoders.first { $0.name == encoder }).make
        try await promise.check(Subject(make: make))
    }
}
