#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq

    /// `dramatiq-workflow encode`.
    struct EncodeCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "encode",
            abstract: "Write a message to standard output as an encoder does.",
            discussion: """
                What comes in is a message in any of the formats. A message that would not shrink goes out as plain JSON, as \
                it does from a broker; standard error says so.
                """
        )

        @OptionGroup var input: MessageInput

        @Option(
            help: ArgumentHelp("What to write: json, lz4 or zlib, with a level as in zlib:9.", valueName: "encoder"),
            transform: EncoderChoice.read)
        var encoder: EncoderChoice

        @OptionGroup var dictionary: DictionaryOption

        func run() async throws {
            let dictionary = try await dictionary.load()
            let output = try await input.read(orSay: "can't be encoded") { try Self.encode($0, encoder, dictionary) }
            let console = Console()
            if let compressor = encoder.compressor(dictionary: dictionary) {
                if !compressor.recognizes(output) {
                    console.writeLine("It does not shrink, so this is plain JSON", to: .error)
                } else if OutputStyle.current().isTerminal {
                    throw OutputError.notForTerminal
                }
            }
            console.write(output)
            try await console.flush()
        }

        /// A message in any format as an encoder writes it, however small it is.
        static func encode(
            _ captured: CapturedBytes,
            _ encoder: EncoderChoice,
            _ dictionary: CompressionDictionary? = nil
        ) throws -> [UInt8] {
            let decoder = EncoderChoice.decoder(dictionary: dictionary)
            let message = try captured.read { try decoder.decode($0) }
            return try encoder.encoder(dictionary: dictionary, minSize: 0).encode(message)
        }
    }
#endif
