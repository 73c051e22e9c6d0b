#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq

    /// `dramatiq-workflow decode`.
    struct DecodeCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "decode",
            abstract: "Write a message to standard output as plain JSON.",
            discussion: """
                The JSON is what was compressed, to the byte, and a line break; on a terminal, what could change its state \
                is escaped. It is written even if it is no message; standard error says so then, and the exit code is 1.

                Takes what redis-cli prints: redis-cli --raw hget dramatiq:default.msgs ID | dramatiq-workflow decode
                """
        )

        @OptionGroup var input: MessageInput

        @Option(
            help: ArgumentHelp(
                "What to read, json, lz4 or zlib; found out by the first bytes unless given.", valueName: "encoder"),
            transform: EncoderChoice.read)
        var encoder: EncoderChoice?

        @OptionGroup var dictionary: DictionaryOption

        func run() async throws {
            let dictionary = try await dictionary.load()
            let json = try await input.read(orSay: "can't be decoded") { try Self.decode($0, encoder, dictionary) }
            let console = Console()
            if OutputStyle.current().isTerminal {
                let lines = String(decoding: json, as: UTF8.self).split(
                    separator: "\n", omittingEmptySubsequences: false)
                for line in lines { console.writeLine(PrintableText.escape(String(line))) }
            } else {
                console.write(json + [UInt8(ascii: "\n")])
            }
            try await console.flush()
            do {
                _ = try JSONMessageEncoder(maxSize: MessageInput.maxSize).decode(json)
            } catch {
                throw InputError(input.path, "is no message", error)
            }
        }

        /// What was compressed, be it a message or not.
        ///
        /// - Parameter encoder: what the bytes are in; found out unless given.
        static func decode(
            _ captured: CapturedBytes,
            _ encoder: EncoderChoice?,
            _ dictionary: CompressionDictionary? = nil
        ) throws -> [UInt8] {
            let choices = encoder.map { [$0] } ?? EncoderChoice.all
            let compressors = choices.compactMap { $0.compressor(dictionary: dictionary) }
            // One that was named says what is wrong with bytes in another format.
            let found = encoder == nil ? compressors.first { $0.recognizes(captured.bytes) } : compressors.first
            guard let found else { return captured.withoutLineBreak }
            return try captured.read {
                try found.decompress($0, maxSize: MessageInput.maxSize)
            }
        }
    }
#endif
