import Dramatiq
import DramatiqLZ4
import DramatiqZlib
import Testing

@Suite struct DictionaryTests {
    /// What small messages of the same sort have in common.
    private func dictionary(_ seed: Int = 0) throws -> CompressionDictionary {
        let samples = (0..<6).flatMap { index in
            (try? JSONMessageEncoder().encode(Samples.smallMessage(seed * 100 + index))) ?? []
        }
        return try CompressionDictionary(samples)
    }

    @Test(arguments: Format.allCases)
    func smallMessagesShrink(format: Format) throws {
        let dictionary = try dictionary()
        let encoder = format.encoder(dictionary: dictionary)
        var ratios: [Double] = []
        for index in 100..<200 {
            let message = Samples.smallMessage(index)
            let encoded = try encoder.encode(message)
            #expect(try encoder.decode(encoded) == message)
            ratios.append(Double(encoded.count) / Double(try JSONMessageEncoder().encode(message).count))
        }
        #expect(try #require(ratios.max()) < 0.65, "of plain JSON")
    }

    /// The id is where each format has it, so others can tell which dictionary they need.
    @Test func theIDIsInTheHeader() throws {
        let dictionary = try dictionary()
        let plain = Samples.text(500, seed: 1)
        let id = dictionary.id
        let bigEndian = (0..<4).map { UInt8(truncatingIfNeeded: id >> UInt32(24 - 8 * $0)) }
        let stream = try Format.zlib.compressor(dictionary: dictionary).compress(plain)
        #expect(stream[1] & 0x20 != 0, "FDICT")
        #expect(Array(stream[2..<6]) == bigEndian)
        let frame = try Format.lz4.compressor(dictionary: dictionary).compress(plain)
        #expect(frame[4] & 1 != 0, "dictID")
        #expect(Array(frame[14..<18]) == bigEndian.reversed())
    }

    @Test(arguments: Format.allCases)
    func aMissingDictionaryIsNamed(format: Format) throws {
        let dictionary = try dictionary()
        let other = try self.dictionary(1)
        let compressed = try format.compressor(dictionary: dictionary).compress(Samples.text(2000, seed: 1))
        for reader in [format.compressor(), format.compressor(dictionary: other)] {
            let error = try #require(throws: DecodeError.self) {
                try reader.decompress(compressed, maxSize: 1 << 20)
            }
            #expect(error.code == .missingDictionary)
            #expect(error.reason.contains(CompressionDictionary.text(of: dictionary.id)))
            #expect(error.reason.contains(format.rawValue))
        }
    }

    @Test(arguments: Format.allCases)
    func dictionariesCanChangeWhileMessagesWait(format: Format) throws {
        let old = try dictionary(1)
        let new = try dictionary(2)
        let plain = Samples.text(2000, seed: 2)
        let reader = format.compressor(dictionary: new, reading: [old])
        for writer in [format.compressor(), format.compressor(dictionary: old), format.compressor(dictionary: new)] {
            #expect(try reader.decompress(try writer.compress(plain), maxSize: plain.count) == plain)
        }
    }

    /// LZ4 looks back over 64 KiB and zlib over 32; the dictionary is in front of the message.
    @Test(arguments: Format.allCases)
    func largeDictionariesAndMessages(format: Format) throws {
        let dictionary = try CompressionDictionary(Samples.text(CompressionDictionary.maxSize, seed: 3))
        for size in [1, 1000, 65_536, 65_537, 262_145, 600_000] {
            let plain = Samples.text(size, seed: 3)
            let compressor = format.compressor(dictionary: dictionary)
            #expect(try compressor.decompress(try compressor.compress(plain), maxSize: size) == plain)
        }
    }

    @Test func theFileComesBack() throws {
        let dictionary = try dictionary()
        #expect(try CompressionDictionary(file: dictionary.file) == dictionary)
        let line = String(decoding: dictionary.file.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        #expect(
            line == "dramatiq-dictionary 1 \(CompressionDictionary.text(of: dictionary.id)) \(dictionary.bytes.count)")
        // As zlib.adler32 has it.
        #expect(try CompressionDictionary(Array("Wikipedia".utf8)).id == 0x11E6_0398)
        #expect(CompressionDictionary.text(of: 0x11E) == "0000011e")
    }

    @Test func filesThatAreNone() throws {
        let file = try dictionary().file
        let line = file.prefix { $0 != UInt8(ascii: "\n") }
        let content = file.dropFirst(line.count + 1)
        func error(_ file: [UInt8]) -> CompressionDictionaryError? {
            do throws(CompressionDictionaryError) {
                _ = try CompressionDictionary(file: file)
                return nil
            } catch {
                return error
            }
        }
        #expect(error([]) == .notADictionary)
        #expect(error(Array(content)) == .notADictionary)
        #expect(error(Array("dramatiq-dictionary\n".utf8)) == .notADictionary)
        #expect(error(Array("dramatiq-dictionary 1 xyz 3\nabc".utf8)) == .notADictionary)
        #expect(error(Array("dramatiq-dictionary 2 0 3\nabc".utf8)) == .unknownVersion("2"))
        #expect(error(Array("dramatiq-dictionary 1 00000001 0\n".utf8)) == .empty)
        #expect(error(file + [0]) == .wrongSize(declared: content.count, actual: content.count + 1))
        #expect(error(file.dropLast()) == .wrongSize(declared: content.count, actual: content.count - 1))
        var damaged = file
        damaged[damaged.count - 1] ^= 1
        #expect(error(damaged)?.code == .wrongContent)
        let large = [UInt8](repeating: 0, count: CompressionDictionary.maxSize + 1)
        #expect(throws: CompressionDictionaryError.tooLarge(size: large.count, limit: large.count - 1)) {
            try CompressionDictionary(large)
        }
    }
}
