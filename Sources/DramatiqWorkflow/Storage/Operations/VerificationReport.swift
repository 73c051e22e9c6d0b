/// What reading all of a store has shown.
public struct VerificationReport: Sendable, Hashable {
    /// How many contents are what was stored.
    public private(set) var intact = 0
    /// How many bytes these have.
    public private(set) var intactBytes = 0
    private var problemList = FailureList(limit: 1000)

    /// Nothing yet, for a store that checks by itself.
    public init() {}

    /// Counts a content that is what was stored.
    public mutating func addIntact(_ size: Int) {
        intact += 1
        intactBytes += size
    }

    /// Counts a content that is not, or can't be read.
    public mutating func add(_ problem: StorageFailure) {
        problemList.add(problem)
    }

    /// What is wrong with other contents, and what can't be read; the first 1 000 of ``problemCount``.
    public var problems: [StorageFailure] { problemList.first }
    /// With how many something is wrong.
    public var problemCount: Int { problemList.count }
}
