public import Dramatiq
public import DramatiqWorkflow

/// A directory with stored workflows, of this process and of any others that use it at the same time, on this machine or
/// on others that share the file system.
///
/// Files are named by the SHA-256 of what is in them, so the same content is there once. The directory and what is in
/// it are made when they are needed, for the user of the process alone unless ``access`` says otherwise. The file system
/// must have locks (`flock`), as ext4, XFS, btrfs, tmpfs, APFS and NFS have.
///
/// Nothing of this waits for a disk on the threads that run Swift's tasks. A task that is cancelled gets on within a second,
/// even if a disk doesn't answer any more.
public final class StorageDirectory: Sendable {
    /// The largest content unless given: 64 MiB, or a workflow of some 250 000 tasks.
    public static let defaultMaxSize = 64 << 20
    /// For how long a lock is waited for unless given: 10 s.
    public static let defaultLockTimeout = Duration.seconds(10)

    /// The directory's path.
    public let path: String
    /// What stored content survives.
    public let durability: Durability
    /// For how long what is stored is kept.
    public let retention: StorageRetention
    /// Who may read and change what is in the directory.
    public let access: StorageAccess
    /// For how long the lock of a directory is waited for, which nobody holds for longer than it takes to look at a few
    /// files. Then ``FileStorageError/Code/locked`` is thrown: somebody stands still, or holds it on purpose.
    public let lockTimeout: Duration

    let files: ContentFiles
    /// Enough for a disk to write several files in one go.
    private let writers = BlockingThreads(count: 8)
    /// Those who only read never wait for a writer that waits for a lock.
    private let readers = BlockingThreads(count: 8)

    /// - Parameters:
    ///   - path: the directory's path; a relative one starts at the working directory of this moment. What only a shell
    ///     replaces (`~`, `$HOME`), a URL and an empty path are refused with ``FileStorageError`` by the first use, before
    ///     anything is made.
    ///   - durability: what stored content survives. Defaults to a power failure.
    ///   - compressor: compresses what is stored. All processes that read must have it. Defaults to none.
    ///   - readableCompressors: those that files may have been compressed with besides. Defaults to none.
    ///   - maxSize: the largest content to store or load, in bytes before compression. Above 16 MiB, a file must have at
    ///     least a 128th of its content's bytes besides; what would be smaller is stored as it is. Defaults to 64 MiB.
    ///   - retention: for how long what is stored is kept. Defaults to what the defaults of workflows need.
    ///   - access: who may read and change what is in the directory. Defaults to the user of the process alone.
    ///   - lockTimeout: for how long the lock of a directory is waited for. Defaults to 10 s.
    public init(
        _ path: String,
        durability: Durability = .powerFailure,
        compressor: (any Compressor)? = nil,
        readableCompressors: [any Compressor] = [],
        maxSize: Int = StorageDirectory.defaultMaxSize,
        retention: StorageRetention = StorageRetention(),
        access: StorageAccess = .owner,
        lockTimeout: Duration = StorageDirectory.defaultLockTimeout
    ) {
        let place = StoragePath(path)
        self.path = place.text
        self.durability = durability
        self.retention = retention
        self.access = access
        self.lockTimeout = lockTimeout
        files = ContentFiles(
            places: FanOut(root: place, durability: durability, access: access),
            format: ContentFormat(
                compressor: compressor, readable: readableCompressors, maxSize: maxSize))
    }

    /// The same directory, for who compresses what is stored.
    ///
    /// - Parameter readable: those that files may have been compressed with besides this one's.
    func compressed(with compressor: any Compressor, _ readable: [any Compressor], maxSize: Int) -> StorageDirectory {
        StorageDirectory(
            path, durability: durability, compressor: compressor,
            readableCompressors: files.format.readableCompressors + readable, maxSize: maxSize, retention: retention,
            access: access, lockTimeout: lockTimeout)
    }

    // MARK: Contents

    func store(_ content: [UInt8]) async throws -> ContentDigest {
        try await writers.run { [files, wait] in try files.store(content, wait($0)) }
    }

    func load(_ digest: ContentDigest) async throws -> [UInt8] {
        try await readers.run { [files, wait] in try files.load(digest, wait($0)) }
    }

    func renew(_ digest: ContentDigest, for duration: Duration = .zero) async throws {
        try await writers.run { [files, wait] in try files.renew(digest, for: duration, wait($0)) }
    }

    /// Removes a content however old it is. What isn't there is no error.
    func remove(_ digest: ContentDigest) async throws {
        // A date in the future, for what a message waits with, is a negative age.
        _ = try await remove(digest, olderThan: .seconds(Int64.min / 2))
    }

    private var wait: @Sendable (Cancellation) -> LockWait {
        { [lockTimeout, access] in LockWait(timeout: lockTimeout, cancellation: $0, access: access) }
    }

    // MARK: Operations

    /// What is in some of the directories in which files lie.
    ///
    /// - Parameter leaf: the number of the first one.
    func contents(from leaf: Int) async throws -> (page: StoredContentPage, nextLeaf: Int?) {
        try await readers.run { [files] in try files.contents(from: leaf, $0) }
    }

    func stored(_ digest: ContentDigest) async throws -> StoredContent? {
        try await readers.run { [files] _ in try files.stored(digest) }
    }

    /// A content, whose age stays what it is; `nil` if it isn't there.
    func content(_ digest: ContentDigest) async throws -> [UInt8]? {
        try await readers.run { [files] _ in try files.content(digest) }
    }

    func remove(_ digest: ContentDigest, olderThan age: Duration) async throws -> Bool {
        let sweep = DirectorySweep(files: files, age: age, isDryRun: false, lockTimeout: lockTimeout)
        return try await writers.run { try sweep.remove(digest, $0) }
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
        let sweep = DirectorySweep(
            files: files, age: age ?? retention.age, isDryRun: isDryRun, lockTimeout: lockTimeout)
        return try await writers.run { try sweep.run($0) }
    }

    /// What is in the directory.
    ///
    /// - Throws: ``FileStorageError`` if the directory itself can't be read, or `CancellationError`. What can't be read
    ///   below it is among the statistics.
    public func statistics() async throws -> StorageStatistics {
        try await readers.run { [files, retention] cancellation in
            var statistics = StorageStatistics()
            let now = FileDate.now
            try files.visitEntries("list", cancellation) {
                statistics.fail($0)
            } _: { _, entry in
                statistics.add(entry, at: now, limit: retention.age)
            }
            return statistics
        }
    }

    /// Reads all files and checks that they are what was stored, and that nothing else is where files should be: a
    /// directory, a symbolic link, a pipe.
    ///
    /// - Throws: ``FileStorageError`` if the directory itself can't be read, or `CancellationError`. What is wrong with
    ///   files, and directories below it that can't be read, are in the report.
    public func verify() async throws -> VerificationReport {
        try await readers.run { [files] cancellation in
            var report = VerificationReport()
            try files.visitEntries("list", cancellation) {
                report.add($0)
            } _: { directory, entry in
                switch entry.kind {
                case .content(let digest):
                    if let problem = files.problem(with: digest, in: directory) {
                        report.add(problem)
                    } else {
                        report.addIntact(entry.status.size)
                    }
                case .irregular: report.add(.notRegular("load", directory.path + "/" + entry.name))
                case .temporary, .foreign: break
                }
            }
            return report
        }
    }
}
