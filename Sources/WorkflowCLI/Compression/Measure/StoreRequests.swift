/// How often a store was asked for something, in the process that ran the sample.
struct StoreRequests: Sendable, Hashable {
    var stores = 0
    var loads = 0

    mutating func add(_ other: StoreRequests) {
        stores += other.stores
        loads += other.loads
    }
}
