/// What went wrong: the first of it, and how much it was. A place that is broken doesn't fill the memory with it.
package struct FailureList: Sendable, Hashable {
    /// How many are named.
    let limit: Int
    package private(set) var first: [StorageFailure] = []
    package private(set) var count = 0

    package init(limit: Int) {
        self.limit = limit
    }

    package mutating func add(_ failure: StorageFailure) {
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
