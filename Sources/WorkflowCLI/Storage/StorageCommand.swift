#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import DramatiqRedis
    import DramatiqWorkflow

    /// `dramatiq-workflow storage`.
    struct StorageCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "storage",
            abstract: "Look after what workflows have stored.",
            discussion: """
                \(StoragePlace.help)

                Safe at any time, beside any number of processes that use the place. What can't be read is listed on \
                standard error and keeps nothing else from being looked at; the exit code is 1 then.
                """,
            subcommands: [
                StorageStatCommand.self, StorageVerifyCommand.self, StorageSweepCommand.self, StorageCopyCommand.self,
            ]
        )
    }

    /// How a place is looked at, and what is found is printed.
    struct StoreOptions: ParsableArguments {
        @Option(help: "What the keys of a Redis server begin with.")
        var namespace = "dramatiq"

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "How long the store on a Redis server keeps what isn't needed, which ages are counted by: that of "
                    + "RedisWorkflowStore(ttl:). \(Age(RedisWorkflowStore.defaultTTL)) unless given.", valueName: "age"),
            transform: Age.read)
        var ttl: Age?

        @Flag(help: "Print one JSON object and nothing else.")
        var json = false

        /// In time.
        var life: Duration { ttl?.duration ?? RedisWorkflowStore.defaultTTL }

        /// Prints a report to standard output.
        func print(_ report: StorageReport, to console: Console = Console()) async throws {
            if json {
                console.writeLine(report.jsonLine)
            } else {
                for line in report.lines { console.writeLine(line) }
            }
            try await console.finish(report.failures.map { "\($0)" }, count: report.failureCount)
        }
    }

    /// What the commands for one place have in common.
    struct StorageOptions: ParsableArguments {
        @Argument(
            help: ArgumentHelp("The place: see `dramatiq-workflow storage --help`.", valueName: "place"),
            transform: StoragePlace.init(reading:))
        var place: StoragePlace

        @OptionGroup var options: StoreOptions

        /// Has a report made of the place, and prints it.
        func report(_ body: (OpenedStore, inout StorageReport) async throws -> Void) async throws {
            let report = try await place.withStore(namespace: options.namespace, ttl: options.life) { store in
                var report = StorageReport(noun: store.noun)
                try await body(store, &report)
                return report
            }
            try await options.print(report)
        }
    }
#endif
