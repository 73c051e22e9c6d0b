/// What went wrong: the first of it, and how much it was. A disk that is broken doesn't fill the memory with it.
struct FailureList: Sendable, Hashable {
    /// How many are named.
    let limit: Int
    private(set) var first: [FileStorageError] = []
    private(set) var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(_ error: FileStorageError) {
        count += 1
        if first.count < limit { first.append(error) }
    }
}
