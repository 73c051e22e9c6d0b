import DequeModule
import Synchronization

/// A message that a worker holds, ready to be processed.
struct WorkItem: Sendable {
    let delivery: Delivery
    let message: Message
    let actor: any AnyTaskActor
    let source: WorkSource
}

/// One consumed queue's share of what a worker holds: how many messages are out, and how many may be.
final class WorkSource: Sendable {
    let queueName: String
    let limit: Int
    let consumer: any TransportConsumer
    private struct State {
        var outstanding = 0
        var isWaiting = false
    }

    private let state = Mutex(State())
    private let credit = Signal()

    init(queueName: String, limit: Int, consumer: any TransportConsumer) {
        self.queueName = queueName
        self.limit = limit
        self.consumer = consumer
    }

    /// Waits until messages may be taken, and says how many. Prefers to wait for half of the limit, so that messages
    /// come in batches.
    func waitForCredit() async -> Int {
        while !Task.isCancelled {
            let credit = state.withLock { state in
                let credit = limit - state.outstanding
                state.isWaiting = credit <= 0
                return credit
            }
            if credit > 0 { return credit }
            await self.credit.wait()
        }
        return 0
    }

    func add(_ count: Int) {
        state.withLock { $0.outstanding += count }
    }

    /// Notes that a message is finished.
    ///
    /// - Parameter isStarving: whether somebody has nothing to do, so that waiting for a batch would be a waste.
    func finish(isStarving: Bool) {
        let wakes = state.withLock { state in
            state.outstanding -= 1
            guard state.isWaiting, isStarving || state.outstanding * 2 <= limit else { return false }
            state.isWaiting = false
            return true
        }
        if wakes { credit.signal() }
    }

    /// Somebody has nothing to do: take what may be taken.
    func wakeForStarving() {
        let wakes = state.withLock { state in
            guard state.isWaiting, state.outstanding < limit else { return false }
            state.isWaiting = false
            return true
        }
        if wakes { credit.signal() }
    }
}

/// What a worker has taken and not begun, by the actors' priorities: lower numbers first, then in order of arrival.
final class WorkQueue: Sendable {
    fileprivate struct State {
        var buckets: [Int: Deque<WorkItem>] = [:]
        var priorities: [Int] = []
        /// Processors with nothing to do.
        var idle: [Signal] = []
        var sources: [WorkSource] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    func add(source: WorkSource) {
        state.withLock { $0.sources.append(source) }
    }

    func push(_ items: [WorkItem]) {
        let woken = state.withLock { state in
            for item in items { state.push(item) }
            let count = min(items.count, state.idle.count)
            let woken = Array(state.idle.suffix(count))
            state.idle.removeLast(count)
            return woken
        }
        for signal in woken { signal.signal() }
    }

    /// The next message, waiting for one; `nil` once the queue is closed or the task cancelled.
    ///
    /// - Parameter signal: the caller's own.
    func next(_ signal: Signal) async -> WorkItem? {
        while !Task.isCancelled {
            let (item, isClosed, hungry) = state.withLock { state -> (WorkItem?, Bool, [WorkSource]) in
                if state.isClosed { return (nil, true, []) }
                if let item = state.pop() { return (item, false, []) }
                state.idle.append(signal)
                return (nil, false, state.sources)
            }
            if let item { return item }
            if isClosed { return nil }
            for source in hungry { source.wakeForStarving() }
            await signal.wait()
            state.withLock { state in state.idle.removeAll { $0 === signal } }
        }
        return nil
    }

    /// Where messages come from.
    var sources: [WorkSource] { state.withLock(\.sources) }

    /// Whether somebody waits for a message.
    var isStarving: Bool { state.withLock { !$0.idle.isEmpty } }

    /// Hands out nothing more.
    func close() {
        let idle = state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        for signal in idle { signal.signal() }
    }

    /// Takes out all that was not begun, first come first.
    func drain() -> [WorkItem] {
        state.withLock { state in
            defer {
                state.buckets = [:]
                state.priorities = []
            }
            return state.priorities.flatMap { state.buckets[$0] ?? [] }
        }
    }
}

extension WorkQueue.State {
    fileprivate mutating func push(_ item: WorkItem) {
        let priority = item.actor.priority
        if buckets[priority]?.isEmpty ?? true {
            priorities.insert(priority, at: priorities.firstIndex { $0 > priority } ?? priorities.endIndex)
        }
        buckets[priority, default: []].append(item)
    }

    fileprivate mutating func pop() -> WorkItem? {
        guard let priority = priorities.first else { return nil }
        let item = buckets[priority]?.popFirst()
        if buckets[priority]?.isEmpty ?? true { priorities.removeFirst() }
        return item
    }
}
