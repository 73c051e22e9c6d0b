#if Plugins
    import ArgumentParser
    import CommandLineSupport
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

                The dictionary holds pieces of them, so a new file is for its owner alone.

                What can't be read is named on standard error and left out, and the exit code is 1 then.
                """
        )

        private static let sizes = 64...CompressionDictionary.maxSize

        @Argument(help: "Files, directories that are looked through, or - for standard input.", completion: .file())
        var paths: [String]

        @Option(help: ArgumentHelp("Where to write the dictionary; - for standard output.", valueName: "file"))
        var output: String

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "The most bytes of content. Large ones cost time for every message.", valueName: "bytes"),
            transform: BoundedNumber(sizes).read)
        var size = 4096

        func validate() throws {
            guard !paths.isEmpty, !paths.contains("") else { throw ValidationError("Name a file or directory") }
            guard output != "" else { throw ValidationError("--output can't be empty") }
        }

        func run() async throws {
            let source = FileSampleSource(paths: paths.map { FilePath(input: $0) }, decoder: EncoderChoice.decoder())
            let found = try await source.samples()
            let console = Console()
            guard !found.samples.isEmpty else { return try await console.finish(found.problems) }
            let training: DictionaryTraining
            do {
                training = try await DictionaryTraining(found.samples, size: size)
            } catch {
                // Perhaps why.
                try? await console.finish(found.problems)
                throw error
            }
            let path = FilePath(output: output)
            try await BlockingWork.run { _ in
                // It has pieces of the messages in it.
                try OutputFile.write(training.dictionary.file, to: path, isPrivate: true)
            }
            let stream: Console.Stream = path == .standardOutput ? .error : .output
            console.writeLine(
                "\(path.named): \(training.dictionary), from \(training.trainedOn) messages", to: stream)
            for judgement in training.judgements {
                console.writeLine(
                    "  a message takes \(Readable.size(judgement.mean)) as \(judgement.name)", to: stream)
            }
            try await console.finish(found.problems + training.problems)
        }
    }
#endif
