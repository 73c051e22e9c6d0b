import Dramatiq
import DramatiqWorkflow
public import Logging
public import ServiceLifecycle

/// Sweeps a directory now and then for as long as a program runs.
///
///     let sweeper = StorageSweeper(directory)
///     try await ServiceGroup(services: [worker, sweeper], logger: logger).run()
///
/// Any number of processes may have one. What can't be read or removed is logged and keeps nothing else from being
/// swept. A sweep that fails altogether is logged and tried again at the next turn.
public struct StorageSweeper: Service {
    private static let intervals = Duration.milliseconds(1)...Duration.seconds(365 * 86_400)

    public let directory: StorageDirectory
    /// How long a file must not have been needed.
    public let age: Duration
    /// The pause between two sweeps, from a millisecond to a year.
    public let interval: Duration
    public let logger: Logger

    /// - Parameters:
    ///   - directory: what is swept.
    ///   - age: how long a file must not have been needed. Defaults to the directory's retention.
    ///   - interval: the pause between two sweeps, from a millisecond to a year; others become the nearest of these.
    ///     Defaults to an hour.
    ///   - logger: told what was removed. Defaults to one with the label `dramatiq.storage`.
    public init(
        _ directory: StorageDirectory,
        olderThan age: Duration? = nil,
        interval: Duration = .seconds(3600),
        logger: Logger = Logger(label: "dramatiq.storage")
    ) {
        self.directory = directory
        self.age = age ?? directory.retention.age
        self.interval = min(max(interval, Self.intervals.lowerBound), Self.intervals.upperBound)
        self.logger = logger.printable
    }

    /// Returns when the task is cancelled or gracefully shut down.
    ///
    /// - Throws: nothing; a sweep that fails is logged.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await sweep()
                try? await Task.sleep(for: interval)
            }
        }
    }

    private func sweep() async {
        do {
            let report = try await directory.sweep(olderThan: age)
            logger.info(
                "Swept the storage directory",
                metadata: [
                    "path": "\(directory.path)", "removed": "\(report.removed)",
                    "removed_bytes": "\(report.removedBytes)", "leftovers": "\(report.removedLeftovers)",
                    "kept": "\(report.kept)", "failures": "\(report.failureCount)",
                ])
            for failure in report.failures { logger.warning("\(failure)") }
        } catch is CancellationError {
            // Shutting down.
        } catch let error as FileStorageError where error.code == .missing {
            // Nothing was stored yet.
        } catch {
            logger.error("Can't sweep the storage directory", metadata: ["error": "\(error)"])
        }
    }
}
