/// What is in a store.
public struct StorageStatistics: Sendable, Hashable {
    /// How many contents are stored.
    public private(set) var count = 0
    /// How many bytes they have where they are stored.
    public private(set) var bytes = 0
    /// How long ago the content was needed that was not needed for longest; `nil` if there is none.
    public private(set) var oldestAge: Duration?
    /// How long ago a content was needed last; `nil` if there is none.
    public private(set) var youngestAge: Duration?
    /// How many contents a sweep with the store's own age would remove.
    public private(set) var expiredCount = 0
    /// How many bytes these have.
    public private(set) var expiredBytes = 0
    /// How many contents are being written, or were when their writer was killed.
    public private(set) var temporaryCount = 0
    /// How many bytes these have.
    public private(set) var temporaryBytes = 0
    /// How many things are there that this package didn't make: files, links, directories, keys. Nothing touches them.
    public private(set) var foreignCount = 0
    private var failureList = FailureList(limit: 100)

    /// What can't be read and so is not counted, and why; the first 100 of ``failureCount``.
    public var failures: [StorageFailure] { failureList.first }
    /// How much can't be read.
    public var failureCount: Int { failureList.count }

    /// Nothing, for a store that counts by itself.
    public init() {}

    /// Counts what can't be read.
    public mutating func fail(_ failure: StorageFailure) {
        failureList.add(failure)
    }

    /// Counts a content.
    ///
    /// - Parameters:
    ///   - size: its bytes.
    ///   - age: how long ago it was needed; `nil` if that isn't known.
    ///   - limit: the age from which a sweep removes it.
    public mutating func add(size: Int, age: Duration?, limit: Duration) {
        count += 1
        bytes += size
        guard let age else { return }
        let past = max(.zero, age)
        oldestAge = max(oldestAge ?? past, past)
        youngestAge = min(youngestAge ?? past, past)
        if age > limit {
            expiredCount += 1
            expiredBytes += size
        }
    }

    /// Counts a content that is being written.
    public mutating func addTemporary(size: Int) {
        temporaryCount += 1
        temporaryBytes += size
    }

    /// Counts what this package didn't make.
    public mutating func addForeign(_ count: Int = 1) {
        foreignCount += count
    }

    /// Counts what is in a page beside its contents.
    mutating func add(_ page: StoredContentPage) {
        addForeign(page.foreignCount)
        for failure in page.failures { fail(failure) }
    }

    /// Counts what is in another part of the same store.
    mutating func add(_ other: StorageStatistics) {
        count += other.count
        bytes += other.bytes
        oldestAge = [oldestAge, other.oldestAge].compactMap(\.self).max()
        youngestAge = [youngestAge, other.youngestAge].compactMap(\.self).min()
        expiredCount += other.expiredCount
        expiredBytes += other.expiredBytes
        temporaryCount += other.temporaryCount
        temporaryBytes += other.temporaryBytes
        foreignCount += other.foreignCount
        failureList.add(other.failureList)
    }
}
