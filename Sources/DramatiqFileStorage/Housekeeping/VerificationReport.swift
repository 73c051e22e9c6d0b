/// What reading all of a directory has shown.
public struct VerificationReport: Sendable, Hashable {
    /// How many files are what was stored.
    public private(set) var intact = 0
    /// How many bytes these files have.
    public private(set) var intactBytes = 0
    private var problemList = FailureList(limit: 1000)

    mutating func addIntact(_ entry: DirectoryEntry) {
        intact += 1
        intactBytes += entry.status.size
    }

    mutating func add(_ problem: FileStorageError) {
        // Swept meanwhile.
        if problem.code != .missing { problemList.add(problem) }
    }

    /// What is wrong with other files, and directories that can't be read; the first 1 000 of ``problemCount``.
    public var problems: [FileStorageError] { problemList.first }
    /// With how many files and directories something is wrong.
    public var problemCount: Int { problemList.count }
}
