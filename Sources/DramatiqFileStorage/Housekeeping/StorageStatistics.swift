/// What is in a storage directory.
public struct StorageStatistics: Sendable, Hashable {
    /// How many contents are stored.
    public private(set) var count = 0
    /// How many bytes their files have.
    public private(set) var bytes = 0
    /// How long ago the file was needed that was not needed for longest; `nil` if there is none.
    public private(set) var oldestAge: Duration?
    /// How long ago a file was needed last; `nil` if there is none.
    public private(set) var youngestAge: Duration?
    /// How many contents a sweep with the directory's retention would remove.
    public private(set) var expiredCount = 0
    /// How many bytes their files have.
    public private(set) var expiredBytes = 0
    /// How many files are being written, or were when their writer was killed.
    public private(set) var temporaryCount = 0
    /// How many bytes these have.
    public private(set) var temporaryBytes = 0
    /// How many files, links and directories are there that this package didn't make. Nothing touches them.
    public private(set) var foreignCount = 0
    private var failureList = FailureList(limit: 100)

    /// Files and directories that can't be read and so are not counted, and why; the first 100 of ``failureCount``.
    public var failures: [FileStorageError] { failureList.first }
    /// How many files and directories can't be read.
    public var failureCount: Int { failureList.count }

    mutating func fail(_ error: FileStorageError) {
        failureList.add(error)
    }

    mutating func add(_ entry: DirectoryEntry, age: Duration, limit: Duration) {
        switch entry.kind {
        case .content:
            count += 1
            bytes += entry.status.size
            oldestAge = max(oldestAge ?? age, age)
            youngestAge = min(youngestAge ?? age, age)
            if age > limit {
                expiredCount += 1
                expiredBytes += entry.status.size
            }
        case .temporary:
            temporaryCount += 1
            temporaryBytes += entry.status.size
        case .foreign, .irregular:
            foreignCount += 1
        }
    }
}
