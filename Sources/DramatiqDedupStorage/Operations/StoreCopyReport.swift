public import DramatiqWorkflow

/// What was copied from one store to another, and what not.
public struct StoreCopyReport: Sendable, Hashable {
    /// How many contents were copied, and read back as they were.
    public private(set) var copied = 0
    /// How many bytes these have, without compression.
    public private(set) var copiedBytes = 0
    /// How many were there already.
    public private(set) var present = 0
    /// How many went meanwhile: swept, or their time was over.
    public private(set) var gone = 0
    private var failureList = FailureList(limit: 1000)

    public init() {}

    /// What could not be copied, and why; the first 1 000 of ``failureCount``.
    public var failures: [StorageFailure] { failureList.first }
    /// How much could not be copied.
    public var failureCount: Int { failureList.count }

    /// How many contents were looked at.
    public var count: Int { copied + present + gone + failureCount }

    enum Outcome: Sendable {
        case copied(Int), present, gone
    }

    mutating func add(_ outcome: Outcome) {
        switch outcome {
        case .copied(let size):
            copied += 1
            copiedBytes += size
        case .present: present += 1
        case .gone: gone += 1
        }
    }

    mutating func fail(_ failure: StorageFailure) {
        failureList.add(failure)
    }
}
