#if Plugins
    import ArgumentParser
    import Dramatiq

    /// `dramatiq-workflow decode`.
    struct DecodeCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "decode",
            abstract: "Write a message from standard input to standard output as plain JSON.",
            discussion: """
                The JSON is what was compressed, to the byte, and a line break. It is written even if it is no message; \
                standard error says so then, and the exit code is 1.
                """
        )

        @Option(
            help: ArgumentHelp(
                "What to read, json, lz4 or zlib; found out by the first bytes unless given.", valueName: "encoder"))
        var encoder: EncoderChoice?

        @OptionGroup var dictionary: DictionaryOption

        func run() async throws {
            let dictionary = try await dictionary.load()
            let input = try await BlockingWork.run {
                try StandardInput.read(limit: JSONMessageEncoder.defaultMaximumSize, $0)
            }
            let json = try Self.decode(input, encoder, dictionary)
            let console = Console()
            console.write(json + [UInt8(ascii: "\n")])
            try await console.flush()
            _ = try JSONMessageEncoder().decode(json)
        }

        /// What was compressed, be it a message or not.
        ///
        /// - Parameter encoder: what the bytes are in; found out unless given.
        static func decode(
            _ bytes: [UInt8],
            _ encoder: EncoderChoice?,
            _ dictionary: CompressionDictionary? = nil
        ) throws -> [UInt8] {
            let choices = encoder.map { [$0] } ?? EncoderChoice.all
            let compressors = choices.compactMap { $0.compressor(dictionary: dictionary) }
            // One that was named says what is wrong with bytes in another format.
            let compressor = encoder == nil ? compressors.first { $0.recognizes(bytes) } : compressors.first
            return try compressor?.decompress(bytes, maximumSize: JSONMessageEncoder.defaultMaximumSize) ?? bytes
        }
    }
#endif
