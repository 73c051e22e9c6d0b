/// What went wrong: the first of it, and how much it was. A place that is broken doesn't fill the memory with it.
struct FailureList: Sendable, Hashable {
    /// How many are named.
    let limit: Int
    private(set) var first: [StorageFailure] = []
    private(set) var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(_ failure: StorageFailure) {
        count += 1
        if first.count < limit { first.append(failure) }
    }
}

extension FailureList {
    mutating func add(_ other: FailureList) {
        first += other.first.prefix(max(0, limit - first.count))
        count += other.count
    }
}
