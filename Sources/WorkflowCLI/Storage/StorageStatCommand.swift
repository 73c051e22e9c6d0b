#if Plugins
    import ArgumentParser
    import DramatiqWorkflow

    /// `dramatiq-workflow storage stat`.
    struct StorageStatCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stat",
            abstract: "Count what is stored.",
            discussion: "What is no longer needed is what a sweep without options would remove."
        )

        @OptionGroup var options: StorageOptions

        func run() async throws {
            try await options.report { store, report in
                let statistics = try await store.store.statistics()
                report.add("stored", key: "stored", count: statistics.count, bytes: statistics.bytes)
                report.add(
                    "no longer needed", key: "expired", count: statistics.expiredCount, bytes: statistics.expiredBytes)
                report.add(
                    "being written, or left over", key: "temporary", count: statistics.temporaryCount,
                    bytes: statistics.temporaryBytes)
                report.add("not of this storage", key: "foreign", count: statistics.foreignCount)
                report.add("last needed, the latest", key: "youngest", statistics.youngestAge)
                report.add("last needed, the earliest", key: "oldest", statistics.oldestAge)
                report.fail(
                    "can't be read", key: "unreadable", count: statistics.failureCount, statistics.failures)
            }
        }
    }
#endif
