#if Plugins
    import Dramatiq
    import Testing

    @testable import CommandLineSupport
    @testable import WorkflowCLI

    @Suite struct CodecCommandTests {
        private let message = Message(
            queueName: "q", actorName: "a", args: [.string(String(repeating: "summer ", count: 50))])

        @Test(arguments: ["json", "lz4", "lz4:9", "zlib", "zlib:1"])
        func whatIsEncodedIsDecoded(name: String) throws {
            let choice = try EncoderChoice.read(name)
            let plain = try JSONMessageEncoder().encode(message)
            let encoded = try encode(plain, choice)
            #expect((encoded.count < plain.count) == (choice.format != .json))
            #expect(try decode(encoded, nil) == plain)
            #expect(try decode(encoded, choice) == plain)
            // From one format to another.
            for other in EncoderChoice.all {
                #expect(try decode(try encode(encoded, other), nil) == plain)
            }
        }

        @Test func aNamedFormatSaysWhatIsWrong() throws {
            let plain = try JSONMessageEncoder().encode(message)
            for name in ["lz4", "zlib"] {
                let error = try #require(throws: DecodeError.self) {
                    try decode(plain, EncoderChoice.read(name))
                }
                #expect(error.reason.contains(name))
            }
        }

        @Test func dictionariesAreUsed() throws {
            let plain = try JSONMessageEncoder().encode(Message(queueName: "q", actorName: "a"))
            let dictionary = try CompressionDictionary(try JSONMessageEncoder().encode(message))
            for choice in EncoderChoice.all where choice.format != .json {
                let encoded = try encode(plain, choice, dictionary)
                #expect(encoded.count < plain.count)
                #expect(try decode(encoded, nil, dictionary) == plain)
                #expect(try decode(encoded + Array("\n".utf8), nil, dictionary) == plain)
                #expect(throws: DecodeError.self) { try decode(encoded, nil) }
            }
        }

        @Test func whatIsNoMessageIsNotEncoded() throws {
            #expect(throws: DecodeError.self) { try encode(Array("{}".utf8), EncoderChoice.read("lz4")) }
        }

        @Test(arguments: [
            "", "LZ4", "lz4:", "lz4:x", "json:1", "zlib:1:2", "brotli", "zlib:0", "zlib:10", "lz4:13",
            "zlib:99999999999999999999",
        ])
        func encodersThatThereAreNot(name: String) {
            #expect(throws: ArgumentFault.self) { try EncoderChoice.read(name) }
        }

        private func encode(
            _ bytes: [UInt8], _ choice: EncoderChoice, _ dictionary: CompressionDictionary? = nil
        ) throws -> [UInt8] {
            try EncodeCommand.encode(CapturedBytes(bytes), choice, dictionary)
        }

        private func decode(
            _ bytes: [UInt8], _ choice: EncoderChoice?, _ dictionary: CompressionDictionary? = nil
        ) throws -> [UInt8] {
            try DecodeCommand.decode(CapturedBytes(bytes), choice, dictionary)
        }

        // MARK: What other programs add

        private static let lineBreaks = ["", "\n", "\r\n"].map { Array($0.utf8) }

        @Test(arguments: ["json", "lz4", "zlib"])
        func oneLineBreakIsTolerated(name: String) throws {
            let choice = try EncoderChoice.read(name)
            let plain = try JSONMessageEncoder().encode(message)
            let encoded = try encode(plain, choice)
            for lineBreak in Self.lineBreaks {
                #expect(try decode(encoded + lineBreak, nil) == plain)
                #expect(try decode(encoded + lineBreak, choice) == plain)
                #expect(try encode(encoded + lineBreak, choice) == encoded)
            }
            guard let compressor = choice.compressor(dictionary: nil) else { return }
            for more in ["\n\n", "\r", "\n\r", " \n", "\n "] {
                #expect(throws: DecodeError.self) { try decode(encoded + Array(more.utf8), nil) }
            }
            // It is the command that is tolerant, and no decoder.
            #expect(throws: DecodeError.self) {
                try compressor.decompress(encoded + [UInt8(ascii: "\n")], maxSize: 10_000)
            }
        }

        /// What is compressed can end with the bytes of a line break.
        @Test(arguments: [[UInt8(ascii: "\n")], [UInt8(ascii: "\r")]])
        func aLineBreakOfItsOwnIsKept(end: [UInt8]) throws {
            let zlib = try EncoderChoice.read("zlib")
            for number in 0..<5000 {
                // zlib's checksum ends with the sum of the bytes.
                let plain = [UInt8(ascii: "a") + UInt8(number % 26)] + [UInt8](repeating: 121, count: number / 26)
                let encoded = try #require(try zlib.compressor(dictionary: nil)?.compress(plain))
                guard encoded.suffix(end.count) == end[...] else { continue }
                for lineBreak in Self.lineBreaks { #expect(try decode(encoded + lineBreak, nil) == plain) }
                return
            }
            Issue.record("No stream ends with \(end)")
        }

        @Test func damageIsSaidAsItIs() throws {
            for name in ["lz4", "zlib"] {
                var encoded = try encode(try JSONMessageEncoder().encode(message), EncoderChoice.read(name))
                encoded[encoded.count / 2] ^= 0xFF
                let damaged = encoded
                let before = try #require(throws: DecodeError.self) { try decode(damaged, nil) }
                let after = try #require(throws: DecodeError.self) { try decode(damaged + [UInt8(ascii: "\n")], nil) }
                #expect(before.code == after.code)
            }
        }

        @Test func aByteOrderMarkIsSkipped() throws {
            let plain = try JSONMessageEncoder().encode(message)
            #expect(try decode([0xEF, 0xBB, 0xBF] + plain, nil) == plain)
            #expect(try encode([0xEF, 0xBB, 0xBF] + plain, EncoderChoice.read("json")) == plain)
        }

        @Test(
            arguments: [
                ([], "empty"), (Array("\r\n".utf8), "empty"), ([0xEF, 0xBB, 0xBF], "empty"),
                ([0xFF, 0xFE, 0x7B, 0], "UTF-16"), ([0xFE, 0xFF, 0, 0x7B], "UTF-16"), ([0x7B, 0, 0x22, 0], "UTF-16"),
                ([0, 0x7B, 0, 0x22], "UTF-16"), (Array(#""\x04\"M\x18""#.utf8), "redis-cli --raw"),
                (Array("(nil)\n".utf8), "redis-cli --raw"), (Array("1) \"x\"\n".utf8), "redis-cli --raw"),
            ] as [([UInt8], String)])
        func whatCannotBeAMessageIsNamed(bytes: [UInt8], word: String) throws {
            let fault = try #require(throws: CapturedBytes.Fault.self) { try CapturedBytes(bytes) }
            #expect(fault.description.contains(word))
        }
    }
#endif
