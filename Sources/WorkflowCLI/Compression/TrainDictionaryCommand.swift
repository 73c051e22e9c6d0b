#if Plugins
    import ArgumentParser
    import Dramatiq

    /// `dramatiq-workflow train-dictionary`.
    struct TrainDictionaryCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train-dictionary",
            abstract: "Make a dictionary with which small messages can be compressed.",
            discussion: """
                Takes definitions of workflows and captured messages that are like those to be sent. Writers and readers of \
                messages need the same dictionary: give it to the workers first. Prints what it is worth for messages that \
                were kept out of its training.
                """
        )

        private static let sizes = 64...CompressionDictionary.maximumSize

        @Argument(help: "Files, and directories that are looked through.", completion: .file())
        var paths: [String]

        @Option(help: ArgumentHelp("Where to write the dictionary.", valueName: "file"))
        var output: String

        @Option(
            help: ArgumentHelp("The most bytes of content. Large ones cost time for every message.", valueName: "bytes")
        )
        var size = 4096

        func validate() throws {
            guard !paths.isEmpty, !paths.contains(""), output != "" else {
                throw ValidationError("Name a file or directory")
            }
            guard Self.sizes.contains(size) else {
                throw ValidationError("--size must be from \(Self.sizes.lowerBound) to \(Self.sizes.upperBound)")
            }
        }

        func run() async throws {
            let source = FileSampleSource(paths: paths.map { FilePath($0) }, decoder: EncoderChoice.decoder())
            let training = try await DictionaryTraining(try await source.samples(), size: size)
            let path = FilePath(output)
            try await BlockingWork.run { _ in try AtomicFile.write(training.dictionary.file, to: path) }
            let console = Console()
            console.writeLine("'\(path)': \(training.dictionary), from \(training.trainedOn) messages")
            for judgement in training.judgements {
                console.writeLine("  a message takes \(Readable.size(judgement.mean)) as \(judgement.name)")
            }
            try await console.flush()
        }
    }
#endif
