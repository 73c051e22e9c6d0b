/// What reading all of a directory has shown.
public struct VerificationReport: Sendable, Hashable {
    /// The most problems that a report names.
    static let maximumProblems = 1000

    /// How many files are what was stored.
    public private(set) var intact = 0
    /// How many bytes these files have.
    public private(set) var intactBytes = 0
    /// What is wrong with others; the first 1 000 of ``problemCount``.
    public private(set) var problems: [FileStorageError] = []
    /// With how many files something is wrong.
    public private(set) var problemCount = 0

    mutating func add(_ entry: DirectoryEntry, _ problem: FileStorageError?) {
        guard let problem else {
            intact += 1
            intactBytes += entry.status.size
            return
        }
        // Swept meanwhile.
        if problem.code == .missing { return }
        problemCount += 1
        if problems.count < Self.maximumProblems { problems.append(problem) }
    }
}
