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
                What was not stored, carried on or read for a time is removed, and what killed processes left behind. On a \
                Redis server the time is what is gone of --ttl; what is older than that goes by itself. \
                The exit code is 1 if something could not be read or removed.
                """
        )

        private static let defaultAge = StorageRetention().age

        @OptionGroup var options: StorageOptions

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "The time for which something must not have been needed, such as 12h or 20d. Less than a workflow may wait "
                    + "for takes away what it needs; \(Age(defaultAge)) unless given: a barrier's life, the longest delay, "
                    + "the life of a dead letter and a margin.",
                valueName: "age"), transform: Age.read)
        var olderThan: Age?

        @Flag(help: "Only say what would be removed.")
        var dryRun = false

        func run() async throws {
            try await options.report { store, report in
                let sweep = try await store.store.sweep(olderThan: olderThan?.duration, isDryRun: dryRun)
                report.add("dry run", key: "dry_run", sweep.isDryRun)
                report.add("removed", key: "removed", count: sweep.removed)
                report.add("left over by killed processes, removed", key: "leftovers", count: sweep.removedLeftovers)
                report.add(
                    "all that was removed", key: "removed_in_all", count: sweep.removed + sweep.removedLeftovers,
                    bytes: sweep.removedBytes)
                report.add("kept", key: "kept", count: sweep.kept, bytes: sweep.keptBytes)
                report.fail("can't be read or removed", key: "failed", count: sweep.failureCount, sweep.failures)
            }
        }
    }
#endif
