import DequeModule
import Dramatiq
import Synchronization

/// Stored workflows that this process has read or written, within a bound. What is stored never changes, so they need
/// not be asked for again; several tasks that want the same one load it once.
///
/// ``shared`` serves all storages of a process that were given no other. Storages that use the same store share what is
/// kept of it.
public final class WorkflowCache: Sendable {
    /// The cache of storages that were given no other.
    public static let shared = WorkflowCache()
    /// The most bytes unless given: 64 MiB, a few workflows of a hundred thousand tasks.
    public static let defaultMaxSize = 64 << 20

    /// A content of a store.
    struct Key: Hashable {
        let store: String
        let name: ContentName

        static func == (left: Key, right: Key) -> Bool {
            left.name == right.name && left.store.hasSameBytes(as: right.store)
        }

        func hash(into hasher: inout Hasher) {
            name.hash(into: &hasher)
        }
    }

    fileprivate struct Entry {
        let content: WorkflowContent
        /// Whether it was asked for since its turn to be dropped came last.
        var isInUse = false
    }

    /// Who waits for a load.
    fileprivate typealias Waiter = CheckedContinuation<WorkflowContent?, any Error>

    fileprivate struct State {
        var entries: [Key: Entry] = [:]
        /// In the order in which their turns to be dropped come.
        var queue: Deque<Key> = []
        var size = 0
        /// The loads that are under way.
        var loads: [Key: [UInt64: Waiter]] = [:]
        var waiterCount: UInt64 = 0
        var lookups = Lookups()
    }

    /// How often workflows were asked for since the cache was made.
    public struct Lookups: Sendable, Hashable {
        /// How often one was there.
        public internal(set) var hits = 0
        /// How often one was not, and the store was asked: by the one who wanted it, or by somebody else at that time.
        public internal(set) var misses = 0
    }

    /// The most bytes that the cache keeps, what it has found out about the workflows included. A single workflow that has
    /// more is not kept.
    public let maxSize: Int
    private let state = Mutex(State())

    /// - Parameter maxSize: the most bytes that the cache keeps; 0 for a cache that keeps nothing. Defaults to 64 MiB.
    public init(maxSize: Int = WorkflowCache.defaultMaxSize) {
        self.maxSize = maxSize
    }

    /// How many bytes are kept.
    public var size: Int { state.withLock(\.size) }
    /// How many workflows are kept.
    public var count: Int { state.withLock(\.entries.count) }
    /// How often workflows were asked for.
    public var lookups: Lookups { state.withLock(\.lookups) }

    /// Forgets all workflows.
    public func removeAll() {
        state.withLock { state in
            state.entries = [:]
            state.queue = []
            state.size = 0
        }
    }

    // MARK: Contents

    /// Forgets workflows that are removed from their store.
    func remove(_ keys: [Key]) {
        let dropped = state.withLock { state in keys.compactMap { state.remove($0) } }
        _ = consume dropped
    }

    func insert(_ content: WorkflowContent, _ key: Key) {
        let dropped = state.withLock { $0.insert(content, key, maxSize) }
        // Freed here, outside of the lock.
        _ = consume dropped
    }

    /// The content of a name. Loads it unless it is there; whoever asks meanwhile waits for it.
    ///
    /// - Throws: what `load` throws, `CancellationError`.
    func content(_ key: Key, load: () async throws -> WorkflowContent) async throws -> WorkflowContent {
        var isCounted = false
        while true {
            let (known, isLoading) = state.withLock { state in
                let content = state.find(key)
                if !isCounted { state.lookups.count(isHit: content != nil) }
                isCounted = true
                if let content { return (content, false) as (WorkflowContent?, Bool) }
                if state.loads[key] != nil { return (nil, true) }
                state.loads[key] = [:]
                return (nil, false)
            }
            if let known { return known }
            if !isLoading {
                do {
                    let content = try await load()
                    insert(content, key)
                    finish(key, .success(content))
                    return content
                } catch {
                    // Who waited is not cancelled with the one that loaded, and tries it itself.
                    finish(key, Task.isCancelled || error is CancellationError ? .success(nil) : .failure(error))
                    throw error
                }
            }
            if let content = try await wait(key) { return content }
            try Task.checkCancellation()
        }
    }

    /// Waits for a load; `nil` if it has to be tried again.
    private func wait(_ key: Key) async throws -> WorkflowContent? {
        let id = state.withLock { state in
            state.waiterCount += 1
            return state.waiterCount
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let isWaiting = state.withLock { state in
                    guard !Task.isCancelled, state.loads[key] != nil else { return false }
                    state.loads[key]?[id] = waiter
                    return true
                }
                if !isWaiting { waiter.resume(returning: nil) }
            }
        } onCancel: {
            state.withLock { $0.loads[key]?.removeValue(forKey: id) }?.resume(throwing: CancellationError())
        }
    }

    private func finish(_ key: Key, _ result: Result<WorkflowContent?, any Error>) {
        let waiters = state.withLock { $0.loads.removeValue(forKey: key) }
        for waiter in (waiters ?? [:]).values { waiter.resume(with: result) }
    }
}

extension WorkflowCache.Lookups {
    fileprivate mutating func count(isHit: Bool) {
        if isHit { hits += 1 } else { misses += 1 }
    }
}

extension WorkflowCache.State {
    mutating func find(_ key: WorkflowCache.Key) -> WorkflowContent? {
        guard let index = entries.index(forKey: key) else { return nil }
        if !entries.values[index].isInUse { entries.values[index].isInUse = true }
        return entries.values[index].content
    }

    mutating func remove(_ key: WorkflowCache.Key) -> WorkflowContent? {
        guard let entry = entries.removeValue(forKey: key) else { return nil }
        size -= entry.content.size
        // Its turn comes with those of the others, unless most of them are gone by then.
        if queue.count > 2 * entries.count + 64 { queue = queue.filter { entries[$0] != nil } }
        return entry.content
    }

    /// Returns what was dropped for it.
    mutating func insert(
        _ content: WorkflowContent,
        _ key: WorkflowCache.Key,
        _ maxSize: Int
    ) -> [WorkflowContent] {
        guard entries[key] == nil, content.size <= maxSize else { return [] }
        entries[key] = WorkflowCache.Entry(content: content)
        queue.append(key)
        size += content.size
        var dropped: [WorkflowContent] = []
        // One that was asked for gets another turn, and no third one without being asked for again.
        while size > maxSize, let next = queue.popFirst() {
            if entries[next]?.isInUse == true {
                entries[next]?.isInUse = false
                queue.append(next)
            } else if let entry = entries.removeValue(forKey: next) {
                size -= entry.content.size
                dropped.append(entry.content)
            }
        }
        return dropped
    }
}
