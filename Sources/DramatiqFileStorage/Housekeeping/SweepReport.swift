/// What a sweep did, or would do.
public struct SweepReport: Sendable, Hashable {
    /// Whether nothing was removed, only counted.
    public let isDryRun: Bool
    /// How many stored files were removed.
    public private(set) var removed = 0
    /// How many files were removed that somebody was killed over while writing.
    public private(set) var removedLeftovers = 0
    /// How many bytes the removed files had.
    public private(set) var removedBytes = 0
    /// How many stored files are young enough to be kept.
    public private(set) var kept = 0
    /// How many bytes the kept files have.
    public private(set) var keptBytes = 0
    private var failureList = FailureList(limit: 100)

    init(isDryRun: Bool) {
        self.isDryRun = isDryRun
    }

    mutating func remove(_ entry: DirectoryEntry) {
        if case .temporary = entry.kind { removedLeftovers += 1 } else { removed += 1 }
        removedBytes += entry.status.size
    }

    mutating func keep(_ entry: DirectoryEntry) {
        guard case .content = entry.kind else { return }
        kept += 1
        keptBytes += entry.status.size
    }

    mutating func fail(_ error: FileStorageError) {
        failureList.add(error)
    }

    /// Files that could not be removed and directories that could not be read, and why; the first 100 of
    /// ``failureCount``.
    public var failures: [FileStorageError] { failureList.first }
    /// How many files could not be removed and directories could not be read.
    public var failureCount: Int { failureList.count }
}
