#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq

    /// Where `encode` and `decode` read their message.
    struct MessageInput: ParsableArguments {
        /// The largest message, also unpacked: twice what encoders take unless told otherwise, so that one that was refused
        /// can be looked at.
        static let maxSize = 64 << 20

        @Argument(help: "A file, or - for standard input.", completion: .file())
        var file = "-"

        func validate() throws {
            guard !file.isEmpty else { throw ValidationError("The name of a file can't be empty") }
        }

        var path: FilePath { FilePath(input: file) }

        /// Does something with what was read.
        ///
        /// - Parameter complaint: what to say of it if that fails.
        /// - Throws: ``FileError``, ``InputError``, `CancellationError`.
        func read<Result>(
            orSay complaint: String, _ body: (CapturedBytes) throws -> Result
        ) async throws -> Result {
            let path = path
            let bytes = try await BlockingWork.run {
                try InputFile.read(path, limit: Self.maxSize, $0)
            }
            do {
                return try body(try CapturedBytes(bytes))
            } catch {
                throw InputError(path, complaint, error)
            }
        }
    }
#endif
