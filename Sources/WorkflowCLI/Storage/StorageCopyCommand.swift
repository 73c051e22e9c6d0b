#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq
    import DramatiqDedupStorage
    import DramatiqLZ4
    import DramatiqWorkflow
    import DramatiqZlib

    /// `dramatiq-workflow storage copy`.
    struct StorageCopyCommand: AsyncParsableCommand {
        enum Compression: String, ExpressibleByArgument, CaseIterable {
            case none, lz4, zlib

            var compressor: (any Compressor)? {
                switch self {
                case .none: nil
                case .lz4: LZ4Compressor()
                case .zlib: ZlibCompressor()
                }
            }
        }

        static let configuration = CommandConfiguration(
            commandName: "copy",
            abstract: "Copy what is stored to another place.",
            discussion: """
                Every content is checked before it is copied and read back after it. What is there already stays as it is \
                and is kept for as long as if it had been stored now, so a copy that was interrupted goes on when it is \
                started again. Nothing is removed. The exit code is 1 if something could not be copied, and 130 after an \
                interruption; both times it is said what was copied.

                \(StoragePlace.help)
                """
        )

        @Argument(
            help: ArgumentHelp("The place to read.", valueName: "from"), transform: StoragePlace.init(reading:))
        var from: StoragePlace

        @Argument(
            help: ArgumentHelp("The place to write to; a directory is made if need be.", valueName: "to"),
            transform: StoragePlace.init(reading:))
        var to: StoragePlace

        @Option(help: "What the keys of a Redis server begin with that is written to; as --namespace unless given.")
        var toNamespace: String?

        @Option(help: "How to compress what is written, where that makes it smaller: none, lz4 or zlib.")
        var compression = Compression.none

        @OptionGroup var options: StoreOptions

        func run() async throws {
            let console = Console()
            let style = OutputStyle.current()
            let progress = CopyProgress(console: console, style: options.json ? nil : style)
            do {
                try await Interruption.cancelling { try await copy(progress) }
            } catch {
                progress.finish()
                // What was done by then is worth knowing, whatever came in between.
                do {
                    try await options.print(report(progress.report), to: console)
                } catch is ExitCode {
                    // There is more to tell.
                }
                guard error is CancellationError else { throw error }
                console.writeLine("Interrupted", to: .error)
                try? await console.flush()
                throw ExitCode(130)
            }
            progress.finish()
            try await options.print(report(progress.report), to: console)
        }

        private func copy(_ progress: CopyProgress) async throws {
            try await from.withStore(namespace: options.namespace, ttl: options.life) { source in
                try await to.withStore(
                    namespace: toNamespace ?? options.namespace, ttl: options.life, compressor: compression.compressor
                ) { target in
                    if progress.isShown { progress.begin(of: try await source.store.statistics().count) }
                    try await Self.copy(source.store, target.store, progress)
                }
            }
        }

        private static func copy(
            _ source: some WorkflowStoreOperations,
            _ target: some WorkflowStoreOperations,
            _ progress: CopyProgress
        ) async throws {
            _ = try await source.copy(to: target) { progress.show($0) }
        }

        private func report(_ copy: StoreCopyReport) -> StorageReport {
            var report = StorageReport(noun: "content")
            report.add("copied", key: "copied", count: copy.copied, bytes: copy.copiedBytes)
            report.add("there already", key: "present", count: copy.present)
            report.add("gone meanwhile", key: "gone", count: copy.gone)
            report.fail("not copied", key: "failed", count: copy.failureCount, copy.failures)
            return report
        }
    }
#endif
