#if Plugins
    import Dramatiq
    import Testing

    @testable import WorkflowCLI

    @Suite struct CodecCommandTests {
        private let message = Message(
            queueName: "q", actorName: "a", args: [.string(String(repeating: "summer ", count: 50))])

        @Test(arguments: ["json", "lz4", "lz4:9", "zlib", "zlib:1"])
        func whatIsEncodedIsDecoded(name: String) throws {
            let choice = try #require(EncoderChoice(argument: name))
            let plain = try JSONMessageEncoder().encode(message)
            let encoded = try EncodeCommand.encode(plain, choice)
            #expect((encoded.count < plain.count) == (choice.format != .json))
            #expect(try DecodeCommand.decode(encoded, nil) == plain)
            #expect(try DecodeCommand.decode(encoded, choice) == plain)
            // From one format to another.
            for other in EncoderChoice.all {
                #expect(try DecodeCommand.decode(try EncodeCommand.encode(encoded, other), nil) == plain)
            }
        }

        @Test func aNamedFormatSaysWhatIsWrong() throws {
            let plain = try JSONMessageEncoder().encode(message)
            for name in ["lz4", "zlib"] {
                let error = try #require(throws: DecodeError.self) {
                    try DecodeCommand.decode(plain, EncoderChoice(argument: name))
                }
                #expect(error.reason.contains(name))
            }
        }

        @Test func dictionariesAreUsed() throws {
            let plain = try JSONMessageEncoder().encode(Message(queueName: "q", actorName: "a"))
            let dictionary = try CompressionDictionary(try JSONMessageEncoder().encode(message))
            for choice in EncoderChoice.all where choice.format != .json {
                let encoded = try EncodeCommand.encode(plain, choice, dictionary)
                #expect(encoded.count < plain.count)
                #expect(try DecodeCommand.decode(encoded, nil, dictionary) == plain)
                #expect(throws: DecodeError.self) { try DecodeCommand.decode(encoded, nil) }
            }
        }

        @Test func whatIsNoMessageIsNotEncoded() throws {
            let choice = try #require(EncoderChoice(argument: "lz4"))
            #expect(throws: DecodeError.self) { try EncodeCommand.encode(Array("{}".utf8), choice) }
        }

        @Test(arguments: ["", "LZ4", "lz4:", "lz4:x", "json:1", "zlib:1:2", "brotli"])
        func encodersThatThereAreNot(name: String) {
            #expect(EncoderChoice(argument: name) == nil)
        }
    }
#endif
