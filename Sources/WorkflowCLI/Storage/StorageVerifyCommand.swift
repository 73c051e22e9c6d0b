#if Plugins
    import ArgumentParser
    import DramatiqFileStorage
    import DramatiqWorkflow

    /// `dramatiq-workflow storage verify`.
    struct StorageVerifyCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Read all that is stored and check that it is what was stored.",
            discussion: """
                Damaged files, and what is no file where one should be, are listed on standard error, and the exit code is \
                1 then.
                """
        )

        @OptionGroup var options: StorageOptions

        func run() async throws {
            let verification = try await options.directory.verify()
            var report = StorageReport()
            report.add("intact", key: "intact", count: verification.intact, bytes: verification.intactBytes)
            report.fail(
                "damaged, or can't be read", key: "damaged", count: verification.problemCount, verification.problems)
            try await options.print(report)
        }
    }
#endif
