import HeapModule
import Synchronization

/// A delayed message that a worker holds until it is due.
struct DelayedItem: Sendable {
    let delivery: Delivery
    /// `nil` if it is so large that it is read again when it is due.
    let message: ReadMessage?
    /// When it is moved to where it belongs by then, in milliseconds since 1970.
    let due: Int
    /// How much longer it has to wait when it is moved, if that is to the delay queue.
    let delay: Duration?
    let source: WorkSource
    /// `nil` if it is longer than an actor's name would be.
    let actorName: String?

    init(
        delivery: Delivery,
        message: ReadMessage?,
        due: Int,
        delay: Duration?,
        source: WorkSource,
        actorName: String
    ) {
        self.delivery = delivery
        self.message = message
        self.due = due
        self.delay = delay
        self.source = source
        self.actorName = actorName.utf8.count <= Self.longestName ? actorName : nil
    }

    /// Beyond this a name takes memory that its message was put aside to save.
    private static let longestName = 1024
}

/// Holds delayed messages in the order in which they are due, and of those due at the same time in the one in which they
/// came.
final class DelayQueue: Sendable {
    private struct Entry: Comparable {
        let item: DelayedItem
        let sequence: UInt64

        static func < (left: Entry, right: Entry) -> Bool {
            (left.item.due, left.sequence) < (right.item.due, right.sequence)
        }

        static func == (left: Entry, right: Entry) -> Bool { left.sequence == right.sequence }
    }

    private struct State {
        var heap = Heap<Entry>()
        var nextSequence: UInt64 = 0
    }

    private let state = Mutex(State())
    private let changed = Signal()
    private let clock: any TaskClock

    init(clock: any TaskClock) {
        self.clock = clock
    }

    /// Adds messages in the order in which they came.
    func push(_ items: [DelayedItem]) {
        if items.isEmpty { return }
        let hasNewFirst = state.withLock { state in
            let last = state.nextSequence
            for item in items {
                state.nextSequence += 1
                state.heap.insert(Entry(item: item, sequence: state.nextSequence))
            }
            return (state.heap.min?.sequence ?? 0) > last
        }
        if hasNewFirst { changed.signal() }
    }

    /// Waits until messages are due and takes them out, up to a limit; empty once the task is cancelled.
    func due(limit: Int) async -> [DelayedItem] {
        while !Task.isCancelled {
            let now = clock.milliseconds
            let (items, next) = state.withLock { state -> ([DelayedItem], Int?) in
                var items: [DelayedItem] = []
                while items.count < limit, let first = state.heap.min, first.item.due <= now {
                    items.append(state.heap.removeMin().item)
                }
                return (items, state.heap.min?.item.due)
            }
            if !items.isEmpty { return items }
            if let next {
                await clock.wait(for: changed, until: next)
            } else {
                await changed.wait()
            }
        }
        return []
    }

    /// Looks at everything, in no order.
    func forEach(_ body: (DelayedItem) -> Void) {
        state.withLock { state in
            for entry in state.heap.unordered { body(entry.item) }
        }
    }

    /// Takes out everything.
    func drain() -> [DelayedItem] {
        state.withLock { state in
            defer { state.heap = Heap() }
            return state.heap.unordered.map(\.item)
        }
    }
}
