#if Plugins
    import ArgumentParser
    import DramatiqWorkflow

    /// `dramatiq-workflow storage verify`.
    struct StorageVerifyCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Read all that is stored and check that it is what was stored.",
            discussion: """
                Contents are compared with their names, which are their digests; those of version 1 of this package in Redis \
                have other names, and are only checked for being JSON. What is damaged, and what is no file where one \
                should be, is listed on standard error, and the exit code is 1 then.
                """
        )

        @OptionGroup var options: StorageOptions

        func run() async throws {
            try await options.report { store, report in
                let verification = try await store.verify()
                report.add("intact", key: "intact", count: verification.intact, bytes: verification.intactBytes)
                report.fail(
                    "damaged, or can't be read", key: "damaged", count: verification.problemCount,
                    verification.problems)
            }
        }
    }
#endif
