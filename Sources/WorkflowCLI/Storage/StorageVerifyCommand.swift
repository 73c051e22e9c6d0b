#if Plugins
    import ArgumentParser
    import DramatiqFileStorage

    /// `dramatiq-workflow storage verify`.
    struct StorageVerifyCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Read all that is stored and check that it is what was stored.",
            discussion: "Damaged files are listed on standard error, and the exit code is 1 if there are any."
        )

        @OptionGroup var options: StorageOptions

        func run() async throws {
            let verification = try await options.directory.verify()
            var report = StorageReport()
            report.add("intact", key: "intact", count: verification.intact, bytes: verification.intactBytes)
            report.add("damaged", key: "damaged", count: verification.problemCount)
            report.failures = verification.problems
            try await options.print(report)
        }
    }
#endif
