/// Looks after what a store keeps: lists it, reads it, copies it, and removes what nothing needs any more.
/// `dramatiq-workflow storage` is made of this.
///
/// Contents have names: the SHA-256 of what they are in base64url, or, where version 1 of this package has stored them in
/// Redis, a barrier's id. Names and sizes are what the place says, and hostile until checked.
///
/// All of it can be done beside any number of processes that store, load and sweep. An error that concerns one content
/// only is a `ConfinedError`: the others are looked after all the same.
public protocol WorkflowStoreOperations: WorkflowStore {
    /// The age from which nothing needs a content any more. Defaults to 16 days: longer than a barrier's life and the
    /// longest wait in a queue together.
    var retention: Duration { get }

    /// Some of what is stored, in no order. What comes or goes meanwhile may be missing; a content may come more than once.
    ///
    /// - Parameter position: ``StoredContentPage/next`` of the page before; `nil` for the first page.
    /// - Throws: what the store throws if the place as a whole can't be read. What can't be read of it is in the page.
    func contents(after position: String?) async throws -> StoredContentPage

    /// What is known of one content; `nil` if it isn't there. As ``content(named:)``, it doesn't keep it for longer.
    ///
    /// - Throws: what the store throws.
    func stored(named name: String) async throws -> StoredContent?

    /// A content as it was given to the store; `nil` if it isn't there. Operators who read it don't need it, so this
    /// doesn't keep it for longer, as `load` does.
    ///
    /// - Throws: what the store throws, also if it can't be unpacked.
    func content(named name: String) async throws -> [UInt8]?

    /// Stores a content under its name, or finds out that it is there and keeps it for as long. Defaults to storing it for
    /// a reference.
    ///
    /// - Throws: what the store throws. ``StorageOperationError`` if the store can't have it under that name.
    func store(_ content: [UInt8], named name: String) async throws

    /// Removes a content if it still is older than an age. Where the place can, it looks at the age and removes it in one
    /// step, so that nothing goes that was renewed in between.
    ///
    /// - Returns: whether it was removed: not what isn't there, or was needed since.
    /// - Throws: what the store throws.
    @discardableResult
    func remove(named name: String, olderThan age: Duration) async throws -> Bool

    /// What there is. Defaults to counting what ``contents(after:)`` lists.
    ///
    /// - Throws: as ``contents(after:)``, and `CancellationError`. What can't be read is in the statistics.
    func statistics() async throws -> StorageStatistics

    /// Removes what was neither stored nor needed for a time. Defaults to doing so one by one.
    ///
    /// - Parameters:
    ///   - age: how long it must not have been needed; a shorter time than ``retention``, which `nil` stands for, removes
    ///     what messages may still need.
    ///   - isDryRun: only finds out what would be removed.
    /// - Throws: as ``contents(after:)``, and `CancellationError`. What can't be removed is in the report.
    func sweep(olderThan age: Duration?, isDryRun: Bool) async throws -> SweepReport
}

/// Something stored, as its place knows it.
public struct StoredContent: Sendable, Hashable {
    /// What it is called: hostile until checked.
    public let name: String
    /// In bytes, as it is stored: compressed, say, and with a header.
    public let size: Int
    /// How long ago it was stored or needed last; negative if a message waits with it, which needs it for so much longer.
    /// `nil` if the place doesn't know; then no sweep removes it.
    public let age: Duration?
    /// After what time the place removes it by itself unless it is needed again; `nil` if it doesn't.
    public let timeLeft: Duration?

    /// - Parameters:
    ///   - name: its name.
    ///   - size: in bytes, as it is stored.
    ///   - age: how long ago it was stored or needed last; negative while a message waits with it.
    ///   - timeLeft: after what time the place removes it by itself. Defaults to never.
    public init(name: String, size: Int, age: Duration?, timeLeft: Duration? = nil) {
        self.name = name
        self.size = size
        self.age = age
        self.timeLeft = timeLeft
    }
}

/// Some of what is stored.
public struct StoredContentPage: Sendable, Hashable {
    public var contents: [StoredContent]
    /// How many things lie between them that no store of this kind has made. Nothing touches them.
    public var foreignCount: Int
    /// What of this page can't be read, and why.
    public var failures: [StorageFailure]
    /// Where the next page begins, for the same store; `nil` if this is the last one. There can be more pages although
    /// this one is empty.
    public var next: String?

    public init(
        contents: [StoredContent] = [],
        foreignCount: Int = 0,
        failures: [StorageFailure] = [],
        next: String? = nil
    ) {
        self.contents = contents
        self.foreignCount = foreignCount
        self.failures = failures
        self.next = next
    }
}
