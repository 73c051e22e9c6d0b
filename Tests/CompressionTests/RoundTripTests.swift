import Dramatiq
import DramatiqLZ4
import DramatiqZlib
import TestSupport
import Testing

@Suite struct RoundTripTests {
    @Test(arguments: Format.allCases, Samples.messageNames)
    func everyMessageComesBack(format: Format, name: String) throws {
        let plain = try Fixtures.bytes("messages/\(name)")
        let message = try JSONMessageEncoder().decode(plain)
        for encoder in [format.encoder(), format.encoder(minSize: 0)] {
            let encoded = try encoder.encode(message)
            #expect(encoded.count <= plain.count)
            #expect(try encoder.decode(encoded) == message)
            #expect(try JSONMessageEncoder().encode(try encoder.decode(encoded)) == plain)
        }
    }

    /// Around the sizes at which LZ4's blocks, its 64 KiB window and zlib's 32 KiB window end.
    @Test(arguments: Format.allCases)
    func everySizeComesBack(format: Format) throws {
        let sizes = [
            0, 1, 2, 3, 12, 13, 100, 32_767, 32_768, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 700_001,
        ]
        let compressor = format.compressor()
        for size in sizes {
            for bytes in [Samples.text(size, seed: 1), Samples.random(size, seed: 2)] {
                let compressed = try compressor.compress(bytes)
                #expect(compressor.recognizes(compressed))
                #expect(try compressor.decompress(compressed, maxSize: max(1, size)) == bytes, "\(size) bytes")
            }
        }
    }

    @Test(arguments: Format.allCases)
    func everyLevelComesBack(format: Format) throws {
        let bytes = Samples.text(100_000, seed: 3)
        let dictionary = try CompressionDictionary(Samples.text(5000, seed: 3))
        var sizes: [Int] = []
        for level in format.levels {
            for compressor in [
                format.compressor(level: level), format.compressor(level: level, dictionary: dictionary),
            ] {
                let compressed = try compressor.compress(bytes)
                #expect(try compressor.decompress(compressed, maxSize: bytes.count) == bytes, "level \(level)")
                sizes.append(compressed.count)
            }
        }
        #expect(try #require(sizes.last) < sizes[0], "the last level is the most thorough")
    }

    @Test(arguments: Format.allCases)
    func smallMessagesAreSentAsTheyAre(format: Format) throws {
        let message = Samples.message(tasksLeft: 3)
        let plain = try JSONMessageEncoder().encode(message)
        #expect(try format.encoder(minSize: plain.count + 1).encode(message) == plain)
        let compressed = try format.encoder(minSize: plain.count).encode(message)
        #expect(compressed.starts(with: format.beginning))
        #expect(compressed.count < plain.count)
    }

    @Test func whatDoesNotShrinkIsSentAsItIs() throws {
        // Nothing in it repeats.
        let noise = String(decoding: Samples.random(40, seed: 4).map { 0x20 + $0 % 0x5F }, as: UTF8.self)
        let message = Message(queueName: "q", actorName: "a", args: [.string(noise)], messageID: "m")
        let plain = try JSONMessageEncoder().encode(message)
        #expect(try LZ4Compressor().compress(plain).count > plain.count)
        let encoder = LZ4MessageEncoder(minSize: 0)
        #expect(try encoder.encode(message) == plain)
        #expect(try encoder.decode(plain) == message)
        // Letters take less than a byte each in a zlib stream, so a message always shrinks; one of no length can't.
        #expect(try CompressedMessageEncoder(Lengthening(by: 0), minSize: 0).encode(message) == plain)
        #expect(try CompressedMessageEncoder(Lengthening(by: -1), minSize: 0).encode(message) != plain)
    }

    @Test(arguments: Format.allCases)
    func aMessageThatNobodyCouldReadIsNotWritten(format: Format) throws {
        let message = Samples.message(tasksLeft: 20)
        let size = try JSONMessageEncoder().encode(message).count
        #expect(throws: EncodeError.tooLarge(messageID: message.messageID, size: size, limit: size - 1)) {
            try format.encoder(maxDecodedSize: size - 1).encode(message)
        }
        let encoder = format.encoder(maxDecodedSize: size)
        #expect(try encoder.decode(try encoder.encode(message)) == message)
    }

    @Test(arguments: Format.allCases)
    func manyTasksShareAnEncoder(format: Format) async throws {
        let encoder = format.encoder(minSize: 0, dictionary: try CompressionDictionary(Samples.text(2000, seed: 5)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<64 {
                group.addTask {
                    for round in 0..<20 {
                        let message = Samples.message(tasksLeft: (task * 31 + round * 7) % 90)
                        let encoded = try encoder.encode(message)
                        #expect(try encoder.decode(encoded) == message)
                        // An error in one of the contexts must not show in the next use of it.
                        let damaged = Array(encoded.dropLast(2)) + encoded.suffix(2).map { ~$0 }
                        #expect(throws: DecodeError.self) { try encoder.decode(damaged) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(arguments: Format.allCases)
    func anEncoderCanWrapAnother(format: Format) throws {
        let other: any MessageEncoder = format == .lz4 ? ZlibMessageEncoder() : LZ4MessageEncoder()
        let encoder = CompressedMessageEncoder(AnyCompressor(format.compressor()), minSize: 0, wrapping: other)
        let message = Samples.message(tasksLeft: 30)
        #expect(try encoder.decode(try encoder.encode(message)) == message)
        #expect(try encoder.decode(try other.encode(message)) == message)
        #expect(try encoder.decode(try JSONMessageEncoder().encode(message)) == message)
    }
}

/// A compressor whose type is known when the program runs.
private struct AnyCompressor: Compressor {
    let base: any Compressor

    init(_ base: any Compressor) {
        self.base = base
    }

    var name: String { base.name }
    func recognizes(_ bytes: [UInt8]) -> Bool { base.recognizes(bytes) }
    func compress(_ bytes: [UInt8]) throws -> [UInt8] { try base.compress(bytes) }
    func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] {
        try base.decompress(bytes, maxSize: maxSize)
    }
}

/// A compressor that makes everything longer by a number of bytes.
private struct Lengthening: Compressor {
    let length: Int

    init(by length: Int) {
        self.length = length
    }

    var name: String { "lengthening" }
    func recognizes(_ bytes: [UInt8]) -> Bool { false }
    func compress(_ bytes: [UInt8]) throws -> [UInt8] { [UInt8](repeating: 0, count: bytes.count + length) }
    func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] { bytes }
}
