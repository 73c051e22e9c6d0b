#if Plugins
    import ArgumentParser
    import Dramatiq

    /// `dramatiq-workflow encode`.
    struct EncodeCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "encode",
            abstract: "Write a message from standard input to standard output as an encoder does.",
            discussion: """
                What comes in is a message in any of the formats. A message that would not shrink goes out as plain JSON, as \
                it does from a broker; standard error says so.
                """
        )

        @Option(
            help: ArgumentHelp("What to write: json, lz4 or zlib, with a level as in zlib:9.", valueName: "encoder"))
        var encoder: EncoderChoice

        @OptionGroup var dictionary: DictionaryOption

        func run() async throws {
            let dictionary = try await dictionary.load()
            let input = try await BlockingWork.run {
                try StandardInput.read(limit: JSONMessageEncoder.defaultMaximumSize, $0)
            }
            let output = try Self.encode(input, encoder, dictionary)
            let console = Console()
            if let compressor = encoder.compressor(dictionary: dictionary), !compressor.recognizes(output) {
                console.writeLine("It does not shrink, so this is plain JSON", to: .error)
            }
            console.write(output)
            try await console.flush()
        }

        /// A message in any format as an encoder writes it, however small it is.
        static func encode(
            _ message: [UInt8],
            _ encoder: EncoderChoice,
            _ dictionary: CompressionDictionary? = nil
        ) throws -> [UInt8] {
            let message = try EncoderChoice.decoder(dictionary: dictionary).decode(message)
            return try encoder.encoder(dictionary: dictionary, minimumSize: 0).encode(message)
        }
    }
#endif
