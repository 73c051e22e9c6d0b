import Dramatiq
import DramatiqLZ4
import DramatiqZlib
import TestSupport
import Testing

@Suite struct HostileInputTests {
    private static let plain = Samples.text(3000, seed: 10)

    /// What a decoder says to bytes; `nil` if it takes them.
    private func failure(_ compressor: any Compressor, _ bytes: [UInt8], limit: Int = 1 << 20) -> DecodeError? {
        do throws(DecodeError) {
            _ = try compressor.decompress(bytes, maxSize: limit)
            return nil
        } catch {
            return error
        }
    }

    private func dictionary() throws -> CompressionDictionary {
        try CompressionDictionary(Samples.text(1000, seed: 10))
    }

    @Test(arguments: Format.allCases, [false, true])
    func cutShortAnywhere(format: Format, hasDictionary: Bool) throws {
        let compressor = format.compressor(dictionary: hasDictionary ? try dictionary() : nil)
        let compressed = try compressor.compress(Self.plain)
        for length in 1..<compressed.count {
            let cut = Array(compressed.prefix(length))
            #expect(compressor.recognizes(cut))
            let error = try #require(failure(compressor, cut), "cut after \(length) bytes")
            #expect(error.code == .corrupt)
            #expect(error.reason.contains(format.rawValue))
            #expect((0...length).contains(error.offset))
        }
        let late = try #require(failure(compressor, compressed.dropLast(5)))
        #expect(late.reason.contains("cut short"), "\(late)")
    }

    @Test(arguments: Format.allCases, [false, true])
    func flippedBitsAreFound(format: Format, hasDictionary: Bool) throws {
        let compressor = format.compressor(dictionary: hasDictionary ? try dictionary() : nil)
        let compressed = try compressor.compress(Self.plain)
        var meaningless = 0
        var missed = 0
        for index in 0..<compressed.count * 8 {
            var flipped = compressed
            flipped[index / 8] ^= 1 << UInt8(index % 8)
            guard compressor.recognizes(flipped) else { continue }
            do throws(DecodeError) {
                let content = try compressor.decompress(flipped, maxSize: 1 << 20)
                if content == Self.plain { meaningless += 1 } else { missed += 1 }
            } catch {
                #expect(error.reason.contains(format.rawValue))
            }
        }
        // Say the level that zlib's header names.
        #expect(meaningless < 16)
        // The sum in a zlib stream, Adler-32, is the same for some orders of the same letters: qnt and ntq.
        #expect(missed <= (format == .zlib ? 3 : 0))
    }

    @Test(arguments: Format.allCases, [false, true])
    func bytesAfterTheEnd(format: Format, hasDictionary: Bool) throws {
        let compressor = format.compressor(dictionary: hasDictionary ? try dictionary() : nil)
        let compressed = try compressor.compress(Self.plain)
        for rest in [[0], Array("{}".utf8), compressed] {
            let error = try #require(failure(compressor, compressed + rest))
            #expect(error.code == .corrupt)
            #expect(error.reason.contains("\(rest.count) bytes follow its end"))
            #expect(error.offset == compressed.count)
        }
    }

    @Test(arguments: Format.allCases, [false, true])
    func wrongChecksum(format: Format, hasDictionary: Bool) throws {
        let compressor = format.compressor(dictionary: hasDictionary ? try dictionary() : nil)
        var compressed = try compressor.compress(Self.plain)
        compressed[compressed.count - 1] ^= 0xFF
        let error = try #require(failure(compressor, compressed))
        #expect(error.code == .corrupt)
        #expect(error.reason.contains(format == .lz4 ? "content checksum invalid" : "incorrect data check"))
    }

    /// Megabytes of zeros in a few kilobytes are not unpacked to see that it is too much.
    @Test(arguments: Format.allCases)
    func bombs(format: Format) throws {
        let size = 64 << 20
        let bomb = try format.compressor(level: 9).compress([UInt8](repeating: 0, count: size))
        #expect(bomb.count < size / 200)
        let compressor = format.compressor()
        for limit in [0, 1, 1000, 1 << 20] {
            let error = try #require(failure(compressor, bomb, limit: limit))
            #expect(error.code == .tooLarge)
            #expect(error.reason.contains("\(limit) bytes"))
        }
        #expect(throws: DecodeError.self) { try format.encoder(maxDecodedSize: 1 << 20).decode(bomb) }
        #expect(failure(compressor, bomb, limit: size) == nil)
    }

    @Test(arguments: Format.allCases, [false, true])
    func theLimitIsExact(format: Format, hasDictionary: Bool) throws {
        let compressor = format.compressor(dictionary: hasDictionary ? try dictionary() : nil)
        let compressed = try compressor.compress(Self.plain)
        #expect(failure(compressor, compressed, limit: Self.plain.count) == nil)
        #expect(failure(compressor, compressed, limit: Self.plain.count - 1)?.code == .tooLarge)
        #expect(failure(compressor, compressed, limit: 0)?.code == .tooLarge)
    }

    @Test func aFrameThatClaimsMoreThanItCanHold() throws {
        // A header that says 60 MB, with a valid check of its own, before a block of nothing.
        let honest = try LZ4Compressor().compress([UInt8](repeating: 0, count: 60 << 20))
        let header = Array(honest.prefix(15))
        let error = try #require(failure(LZ4Compressor(), header + [0, 0, 0, 0], limit: 64 << 20))
        #expect(error.code == .corrupt)
        #expect(error.reason.contains("can't hold"))
    }

    @Test(arguments: Format.allCases)
    func noiseWithTheRightBeginning(format: Format) {
        let compressor = format.compressor()
        for seed in 0..<500 {
            let bytes = format.beginning + (format == .zlib ? [0x9C] : []) + Samples.random(200, seed: UInt64(seed))
            #expect(compressor.recognizes(bytes))
            #expect(failure(compressor, bytes)?.code == .corrupt)
        }
    }

    /// liblz4 1.9.4 keeps from a frame that was given up how much of it was to come, and holds it against the next one.
    @Test func aDamagedFrameDoesNoHarmToTheNext() throws {
        let dictionary = try dictionary()
        let compressor = LZ4Compressor(dictionary: dictionary)
        let sizeless = try Fixtures.bytes("frames/text-no-size.lz4")
        let content = try Fixtures.bytes("messages/text-20-kilobytes.json")
        for damaged in try [
            LZ4Compressor().compress(Self.plain).dropLast(30), compressor.compress(Self.plain).dropLast(30),
            compressor.compress(Self.plain).dropLast(0),
        ] {
            _ = failure(compressor, Array(damaged))
            #expect(try compressor.decompress(sizeless, maxSize: content.count) == content)
        }
    }

    /// What can't be read is put aside as it came, with a reason for a person to read.
    @Test(arguments: Format.allCases)
    func theDeadLetterHasTheBytes(format: Format) async throws {
        let transport = InMemoryTransport(fidelity: .bytes)
        let log = RecordingLog()
        let encoder = Damaging(format.encoder(minSize: 0))
        let broker = Broker(transport: transport, encoder: encoder, logger: log.logger)
        let ran = Recorder<Int>()
        let task = TaskActor("task") { (text: String) in _ = ran.add(text.count) }
        try await broker.declare(task)
        let message = task.message(String(repeating: "summer ", count: 100))
        try await broker.enqueue(message)
        try await withWorker(Worker(broker)) {
            try await eventually { !transport.deadLetters(queue: "default").isEmpty }
        }
        let letter = try #require(transport.deadLetters(queue: "default").first)
        guard case .bytes(let bytes) = letter.payload else {
            Issue.record("the dead letter is not what came")
            return
        }
        #expect(bytes == (try encoder.encode(message)))
        #expect(letter.reason.contains("The \(format.rawValue) "))
        #expect(ran.count == 0)
    }
}

/// Writes messages that arrive damaged.
private struct Damaging: MessageEncoder {
    let base: any MessageEncoder

    init(_ base: any MessageEncoder) {
        self.base = base
    }

    func encode(_ message: Message) throws -> [UInt8] { try base.encode(message).dropLast() + [0x55] }
    func decode(_ bytes: [UInt8]) throws -> Message { try base.decode(bytes) }
}
