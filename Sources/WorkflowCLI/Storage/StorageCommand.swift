#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import DramatiqFileStorage
    import DramatiqLZ4
    import DramatiqZlib

    /// `dramatiq-workflow storage`.
    struct StorageCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "storage",
            abstract: "Look after a directory in which workflows are stored.",
            discussion: """
                Safe at any time, beside any number of processes that use the directory. What can't be read is listed on \
                standard error and keeps nothing else from being looked at; the exit code is 1 then.
                """,
            subcommands: [StorageStatCommand.self, StorageVerifyCommand.self, StorageSweepCommand.self]
        )
    }

    /// What the commands for storage directories have in common.
    struct StorageOptions: ParsableArguments {
        @Argument(help: ArgumentHelp("The directory that was given to the storage.", valueName: "directory"))
        var path: String

        @Flag(help: "Print one JSON object and nothing else.")
        var json = false

        func validate() throws {
            guard !path.isEmpty else { throw ValidationError("The directory can't be empty") }
        }

        var directory: StorageDirectory {
            StorageDirectory(path, readableCompressors: [LZ4Compressor(), ZlibCompressor()], access: .asFound)
        }

        /// Prints a report to standard output.
        func print(_ report: StorageReport) async throws {
            let console = Console()
            if json {
                console.writeLine(report.jsonLine)
            } else {
                for line in report.lines { console.writeLine(line) }
            }
            try await console.finish(report.failures.map { "\($0)" }, count: report.failureCount)
        }
    }
#endif
