#if Plugins
    import ArgumentParser
    import DramatiqFileStorage
    import DramatiqWorkflow

    /// `dramatiq-workflow storage sweep`.
    struct StorageSweepCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sweep",
            abstract: "Remove what no message needs any more.",
            discussion: """
                What was not stored, carried on or read for a time is removed, and what killed processes left behind. \
                The exit code is 1 if something could not be read or removed.
                """
        )

        private static let defaultAge = StorageRetention().age

        @OptionGroup var options: StorageOptions

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "The time for which a file must not have been needed, such as 12h or 20d. Less than a workflow may wait "
                    + "for takes its files away; \(Age(defaultAge)) unless given: a barrier's life, the longest delay, "
                    + "the life of a dead letter and a margin.",
                valueName: "age"), transform: Age.read)
        var olderThan: Age?

        @Flag(help: "Only say what would be removed.")
        var dryRun = false

        func run() async throws {
            let sweep = try await options.directory.sweep(
                olderThan: olderThan?.duration ?? Self.defaultAge, isDryRun: dryRun)
            var report = StorageReport()
            report.add("dry run", key: "dry_run", sweep.isDryRun)
            report.add("removed", key: "removed", count: sweep.removed)
            report.add("left over by killed processes, removed", key: "leftovers", count: sweep.removedLeftovers)
            report.add(
                "all that was removed", key: "removed_in_all", count: sweep.removed + sweep.removedLeftovers,
                bytes: sweep.removedBytes)
            report.add("kept", key: "kept", count: sweep.kept, bytes: sweep.keptBytes)
            report.fail("can't be read or removed", key: "failed", count: sweep.failureCount, sweep.failures)
            try await options.print(report)
        }
    }
#endif
