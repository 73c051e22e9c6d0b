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
    /// The consumer, if processors may take from it themselves.
    let immediate: (any ImmediateConsumer)?

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
        // What is delayed is not for processors.
        immediate = QueueName.canonical(queueName) == queueName ? consumer as? any ImmediateConsumer : nil
    }

    /// Takes a message for a processor if there is one and the limit allows it.
    func takeNow() -> Delivery? {
        guard let immediate else { return nil }
        let isAllowed = state.withLock { state in
            guard state.outstanding < limit else { return false }
            state.outstanding += 1
            return true
        }
        guard isAllowed else { return nil }
        if let delivery = immediate.takeNow() { return delivery }
        state.withLock { $0.outstanding -= 1 }
        return nil
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
    func finish(isStarving: @autoclosure () -> Bool) {
        let wakes = state.withLock { state in
            state.outstanding -= 1
            // Processors that take messages themselves need the consumer only when they have nothing to do.
            guard state.isWaiting, immediate == nil && state.outstanding * 2 <= limit || isStarving() else {
                return false
            }
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
    /// The messages of one priority.
    fileprivate struct Level {
        let priority: Int
        var items: Deque<WorkItem> = []
    }

    fileprivate struct State {
        /// Lower priorities first.
        var levels: [Level] = []
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

    /// The next message if there is one; otherwise where to look for one, which is nowhere once the queue is closed, and
    /// how many others have nothing to do.
    func takeNow() -> (item: WorkItem?, sources: [WorkSource], idle: Int) {
        state.withLock { state in
            if state.isClosed { return (nil, [], 0) }
            if let item = state.pop() { return (item, [], 0) }
            return (nil, state.sources, state.idle.count)
        }
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
            defer { state.levels = [] }
            return state.levels.flatMap(\.items)
        }
    }
}

extension WorkQueue.State {
    fileprivate mutating func push(_ item: WorkItem) {
        let priority = item.actor.priority
        let place = levels.firstIndex { $0.priority >= priority } ?? levels.endIndex
        if place == levels.endIndex || levels[place].priority != priority {
            levels.insert(WorkQueue.Level(priority: priority), at: place)
        }
        levels[place].items.append(item)
    }

    /// There are as many levels as actors have priorities, so empty ones stay.
    fileprivate mutating func pop() -> WorkItem? {
        for place in levels.indices {
            if let item = levels[place].items.popFirst() { return item }
        }
        return nil
    }
}
