/// What a sweep did, or would do.
public struct SweepReport: Sendable, Hashable {
    /// Whether nothing was removed, only counted.
    public let isDryRun: Bool
    /// How many contents were removed.
    public private(set) var removed = 0
    /// How much was removed that somebody was killed over while writing.
    public private(set) var removedLeftovers = 0
    /// How many bytes the removed ones had.
    public private(set) var removedBytes = 0
    /// How many contents are young enough to be kept.
    public private(set) var kept = 0
    /// How many bytes the kept ones have.
    public private(set) var keptBytes = 0
    private var failureList = FailureList(limit: 100)

    /// Nothing yet, for a store that sweeps by itself.
    public init(isDryRun: Bool) {
        self.isDryRun = isDryRun
    }

    /// Counts a content that was removed.
    public mutating func remove(_ size: Int) {
        removed += 1
        removedBytes += size
    }

    /// Counts what a killed writer has left, and was removed.
    public mutating func removeLeftover(_ size: Int) {
        removedLeftovers += 1
        removedBytes += size
    }

    /// Counts a content that is kept.
    public mutating func keep(_ size: Int) {
        kept += 1
        keptBytes += size
    }

    /// Counts what could not be removed or read.
    public mutating func fail(_ failure: StorageFailure) {
        failureList.add(failure)
    }

    /// What could not be removed or read, and why; the first 100 of ``failureCount``.
    public var failures: [StorageFailure] { failureList.first }
    /// How much could not be removed or read.
    public var failureCount: Int { failureList.count }

    /// Counts what was done in another part of the same store.
    mutating func add(_ other: SweepReport) {
        removed += other.removed
        removedLeftovers += other.removedLeftovers
        removedBytes += other.removedBytes
        kept += other.kept
        keptBytes += other.keptBytes
        failureList.add(other.failureList)
    }
}
