public import Dramatiq
public import DramatiqWorkflow
import Synchronization

/// Keeps workflows in this process's memory, for tests and for programs of one process. Counts what it is asked for.
///
/// Nothing is removed but what ended runs have stored and what you remove, and nothing outlives the process.
public final class InMemoryWorkflowStore: WorkflowStore {
    private struct Entry {
        var content: [UInt8]
        /// When it was needed last, or will be.
        var lastUse: Moment
    }

    private struct State {
        var entries: [TextKey: Entry] = [:]
        var counts = Counts()

        /// - Returns: the key of an entry.
        func key(_ reference: JSONValue, _ completionID: String) throws(NotStored) -> TextKey {
            let key = TextKey(completionID)
            guard reference.stringValue?.hasSameBytes(as: completionID) == true, entries[key] != nil else {
                throw NotStored(reference: reference)
            }
            return key
        }

        mutating func use(_ key: TextKey, at moment: Moment) {
            if let earlier = entries[key]?.lastUse { entries[key]?.lastUse = max(earlier, moment) }
        }
    }

    /// How often the store was asked for what.
    public struct Counts: Sendable, Hashable {
        public var stores = 0
        public var loads = 0
        public var refreshes = 0
        public var removals = 0
    }

    /// A century; what is to be kept for longer is kept for that long.
    private static let longest = Duration.seconds(3_155_760_000)

    private let state = Mutex(State())
    private let now: @Sendable () -> Moment

    public init() {
        now = { Moment.now }
    }

    /// - Parameter now: the clock by which contents get older, for tests.
    package init(now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.now = { Moment(now()) }
    }

    public var name: String { "memory" }
    public var identity: String? { "memory \(UInt(bitPattern: ObjectIdentifier(self).hashValue))" }

    /// How often the store was asked for what.
    public var counts: Counts { state.withLock(\.counts) }
    /// How many workflows there are; the same one stored twice counts once.
    public var count: Int { state.withLock(\.entries.count) }

    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        let now = now()
        state.withLock { state in
            state.counts.stores += 1
            let key = TextKey(completionID)
            let lastUse = state.entries[key]?.lastUse ?? now
            state.entries[key] = Entry(content: workflow, lastUse: max(lastUse, now))
        }
        return .string(completionID)
    }

    /// - Throws: ``NotStored``.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        let now = now()
        return try state.withLock { state in
            state.counts.loads += 1
            let key = try state.key(reference, completionID)
            state.use(key, at: now)
            return state.entries[key]?.content ?? []
        }
    }

    /// - Throws: ``NotStored``.
    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try await refresh(reference, completionID: completionID, for: .zero)
    }

    /// - Throws: ``NotStored``.
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        let now = now()
        try state.withLock { state in
            state.counts.refreshes += 1
            state.use(try state.key(reference, completionID), at: now + min(max(.zero, wait), Self.longest))
        }
    }

    public func remove(_ reference: JSONValue, completionID: String) async throws {
        state.withLock { state in
            state.counts.removals += 1
            guard let key = try? state.key(reference, completionID) else { return }
            state.entries[key] = nil
        }
    }

    /// Forgets all workflows.
    public func removeAll() {
        state.withLock { $0.entries = [:] }
    }

    /// There is no workflow with that reference.
    public struct NotStored: Error, Sendable, CustomStringConvertible {
        public let reference: JSONValue
        public var description: String { "There is no workflow \(reference) in memory" }
    }
}

/// What operators do is not counted.
extension InMemoryWorkflowStore: WorkflowStoreOperations {
    private static let pageSize = 1000

    public func contents(after position: String?) async throws -> StoredContentPage {
        let (now, last) = (now(), position.map { TextKey($0) })
        return state.withLock { state in
            let keys = state.entries.keys.filter { key in last.map { key > $0 } ?? true }.sorted()
            let page = keys.prefix(Self.pageSize)
            return StoredContentPage(
                contents: page.compactMap { key in state.entries[key].map { Self.stored(key, $0, now) } },
                next: page.count < keys.count ? page.last?.text : nil)
        }
    }

    public func stored(named name: String) async throws -> StoredContent? {
        let (now, key) = (now(), TextKey(name))
        return state.withLock { $0.entries[key].map { Self.stored(key, $0, now) } }
    }

    public func content(named name: String) async throws -> [UInt8]? {
        state.withLock { $0.entries[TextKey(name)]?.content }
    }

    @discardableResult
    public func remove(named name: String, olderThan age: Duration) async throws -> Bool {
        let (now, key) = (now(), TextKey(name))
        return state.withLock { state in
            guard let entry = state.entries[key], now - entry.lastUse > age else { return false }
            state.entries[key] = nil
            return true
        }
    }

    private static func stored(_ key: TextKey, _ entry: Entry, _ now: Moment) -> StoredContent {
        StoredContent(name: key.text, size: entry.content.count, age: now - entry.lastUse)
    }
}
