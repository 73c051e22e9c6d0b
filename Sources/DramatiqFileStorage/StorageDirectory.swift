public import Dramatiq

/// A directory with stored workflows, of this process and of any others that use it at the same time, on this machine or
/// on others that share the file system.
///
/// Files are named by the SHA-256 of what is in them, so the same content is there once. The directory and what is in
/// it are made when they are needed, with the permissions that the process's `umask` leaves. The file system must have
/// locks (`flock`), as ext4, XFS, btrfs, tmpfs, APFS and NFS have.
///
/// Nothing of this waits for a disk on the threads that run Swift's tasks.
public final class StorageDirectory: Sendable {
    /// The largest content unless given: 256 MiB, or a workflow of more than a million tasks.
    public static let defaultMaxSize = 256 << 20

    /// The directory's path.
    public let path: String
    /// What stored content survives.
    public let durability: Durability
    /// For how long what is stored is kept.
    public let retention: StorageRetention

    let files: ContentFiles
    /// Enough for a disk to write several files in one go.
    private let threads = BlockingThreads(count: 8)

    /// - Parameters:
    ///   - path: the directory's path; a relative one starts at the working directory of this moment. What only a shell
    ///     replaces (`~`, `$HOME`), a URL and an empty path are refused with ``FileStorageError`` by the first use, before
    ///     anything is made.
    ///   - durability: what stored content survives. Defaults to a power failure.
    ///   - compressor: compresses what is stored. All processes that read must have it. Defaults to none.
    ///   - readableCompressors: those that files may have been compressed with besides. Defaults to none.
    ///   - maxSize: the largest content to store or load, in bytes before compression. Defaults to 256 MiB.
    ///   - retention: for how long what is stored is kept. Defaults to what the defaults of workflows need.
    public init(
        _ path: String,
        durability: Durability = .powerFailure,
        compressor: (any Compressor)? = nil,
        readableCompressors: [any Compressor] = [],
        maxSize: Int = StorageDirectory.defaultMaxSize,
        retention: StorageRetention = StorageRetention()
    ) {
        let place = StoragePath(path)
        self.path = place.text
        self.durability = durability
        self.retention = retention
        files = ContentFiles(
            places: FanOut(root: place, durability: durability),
            format: ContentFormat(
                compressor: compressor, readable: readableCompressors, maxSize: maxSize))
    }

    // MARK: Contents

    func store(_ content: [UInt8]) async throws -> ContentDigest {
        try await threads.run { [files] _ in try files.store(content) }
    }

    func load(_ digest: ContentDigest) async throws -> (content: [UInt8], isRenewed: Bool) {
        try await threads.run { [files] _ in try files.load(digest) }
    }

    func renew(_ digest: ContentDigest, for wait: Duration = .zero) async throws {
        try await threads.run { [files] _ in try files.renew(digest, for: wait) }
    }

    // MARK: Housekeeping

    /// Removes what no message can need any more: files that were neither stored nor needed for a time, and what
    /// processes left behind that were killed while they stored. Safe at any time, beside any number of processes that
    /// store, load and sweep.
    ///
    /// - Parameters:
    ///   - age: how long a file must not have been needed. A shorter time than ``retention``'s, which is the default,
    ///     removes what messages may still need.
    ///   - isDryRun: only finds out what would be removed. Defaults to `false`.
    /// - Throws: ``FileStorageError`` if the directory itself can't be read, or `CancellationError`. Files that can't be
    ///   removed and directories below it that can't be read are in the report, and keep no other from being removed.
    public func sweep(olderThan age: Duration? = nil, isDryRun: Bool = false) async throws -> SweepReport {
        let sweep = DirectorySweep(files: files, age: age ?? retention.age, isDryRun: isDryRun)
        return try await threads.run { try sweep.run($0) }
    }

    /// What is in the directory.
    ///
    /// - Throws: ``FileStorageError`` if the directory itself can't be read, or `CancellationError`. What can't be read
    ///   below it is among the statistics.
    public func statistics() async throws -> StorageStatistics {
        try await threads.run { [files, retention] cancellation in
            var statistics = StorageStatistics()
            let now = FileDate.now
            try files.visitEntries("list", cancellation) {
                statistics.fail($0)
            } _: { _, entry in
                statistics.add(entry, age: max(.zero, now - entry.status.modified), limit: retention.age)
            }
            return statistics
        }
    }

    /// Reads all files and checks that they are what was stored.
    ///
    /// - Throws: ``FileStorageError`` if the directory itself can't be read, or `CancellationError`. What is wrong with
    ///   files, and directories below it that can't be read, are in the report.
    public func verify() async throws -> VerificationReport {
        try await threads.run { [files] cancellation in
            var report = VerificationReport()
            try files.visitEntries("list", cancellation) {
                report.add($0)
            } _: { directory, entry in
                guard case .content(let digest) = entry.kind else { return }
                if let problem = files.problem(with: digest, in: directory) {
                    report.add(problem)
                } else {
                    report.addIntact(entry)
                }
            }
            return report
        }
    }
}
