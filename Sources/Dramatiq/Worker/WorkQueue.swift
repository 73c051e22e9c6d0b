import DequeModule
import Synchronization

/// A message that a worker holds, ready to be processed.
struct WorkItem: Sendable {
    let delivered: DeliveredMessage
    let source: WorkSource

    var delivery: Delivery { delivered.delivery }
    var message: Message { delivered.message }
}

/// One consumed queue's share of what a worker holds: how many messages are out, and how many may be.
final class WorkSource: Sendable {
    let queueName: String
    let limit: Int
    let consumer: any TransportConsumer
    /// The consumer, if it knows what it loses.
    private let lossAware: (any LossAware)?
    /// Whether processors take from the consumer themselves.
    let isImmediate: Bool
    private let workQueue: WorkQueue
    let window: AcknowledgementWindow

    private struct State {
        var outstanding = 0
        var isWaiting = false
    }

    private let state = Mutex(State())
    private let credit = Signal()

    init(
        queueName: String,
        limit: Int,
        consumer: any TransportConsumer,
        isImmediate: Bool,
        workQueue: WorkQueue,
        window: AcknowledgementWindow
    ) {
        self.workQueue = workQueue
        self.window = window
        self.queueName = queueName
        self.limit = limit
        self.consumer = consumer
        lossAware = consumer.innermost as? any LossAware
        // What is delayed is not for processors.
        self.isImmediate = isImmediate && QueueName.isCanonical(queueName)
    }

    /// Takes a message for a processor if there is one and the limit allows it.
    func takeNow() -> Delivery? {
        guard isImmediate else { return nil }
        let isAllowed = state.withLock { state in
            guard state.outstanding < limit else { return false }
            state.outstanding += 1
            return true
        }
        guard isAllowed else { return nil }
        if let delivery = consumer.takeNow() { return delivery }
        state.withLock { $0.outstanding -= 1 }
        return nil
    }

    /// Whether a delivery is this worker's to be processed, as far as is known.
    func begin(_ delivery: Delivery) -> Bool {
        lossAware?.begin(delivery) ?? true
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

    /// Makes room for a message that comes with the settlement of another one, if the limit allows it. The one that is
    /// settled gives its place up only after that.
    func reserve(settling other: WorkSource) -> Bool {
        state.withLock { state in
            guard state.outstanding < limit || other === self else { return false }
            state.outstanding += 1
            return true
        }
    }

    /// Notes that messages are finished. If somebody has nothing to do, waiting for a batch would be a waste.
    func finish(_ count: Int = 1) {
        let wakes = state.withLock { state in
            state.outstanding -= count
            // Processors that take messages themselves need the consumer only when they have nothing to do.
            guard state.isWaiting, !isImmediate && state.outstanding * 2 <= limit || workQueue.isStarving else {
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
    /// How often messages were added, to see without a lock that none were.
    private let pushes = Atomic(0)

    func add(source: WorkSource) {
        state.withLock { $0.sources.append(source) }
    }

    func push(_ items: [WorkItem]) {
        let woken = state.withLock { state in
            pushes.wrappingAdd(1, ordering: .relaxed)
            for item in items { state.push(item) }
            return state.idleToWake()
        }
        woken?.signal()
    }

    /// Takes a message back that was handed out and not begun.
    func putBack(_ item: WorkItem) {
        state.withLock { $0.push(item, atFront: true) }
    }

    /// The next message, waiting for one; `nil` once the queue is closed or the task cancelled.
    ///
    /// - Parameter signal: the caller's own.
    func next(_ signal: Signal) async -> WorkItem? {
        while !Task.isCancelled {
            let (item, woken, isClosed, hungry) = state.withLock { state -> (WorkItem?, Signal?, Bool, [WorkSource]) in
                if state.isClosed { return (nil, nil, true, []) }
                if let item = state.pop() { return (item, state.idleToWake(), false, []) }
                state.idle.append(signal)
                return (nil, nil, false, state.sources)
            }
            woken?.signal()
            if let item { return item }
            if isClosed { return nil }
            for source in hungry { source.wakeForStarving() }
            await signal.wait()
            state.withLock { state in state.idle.removeAll { $0 === signal } }
        }
        return nil
    }

    /// The next message if there is one.
    func nextNow() -> WorkItem? {
        let (item, woken) = state.withLock { state -> (WorkItem?, Signal?) in
            guard !state.isClosed, let item = state.pop() else { return (nil, nil) }
            return (item, state.idleToWake())
        }
        woken?.signal()
        return item
    }

    /// Where to look for messages if there are none.
    struct Elsewhere {
        /// Nowhere once the queue is closed.
        var sources: [WorkSource] = []
        /// How many others have nothing to do.
        var idle = 0
        /// How often messages were added before.
        fileprivate var pushes = 0
    }

    /// The next message if there is one; otherwise where to look for one.
    func takeNow() -> (item: WorkItem?, Elsewhere) {
        let (item, woken, elsewhere) = state.withLock { state -> (WorkItem?, Signal?, Elsewhere) in
            if state.isClosed { return (nil, nil, Elsewhere()) }
            if let item = state.pop() { return (item, state.idleToWake(), Elsewhere()) }
            let pushes = pushes.load(ordering: .relaxed)
            return (nil, nil, Elsewhere(sources: state.sources, idle: state.idle.count, pushes: pushes))
        }
        woken?.signal()
        return (item, elsewhere)
    }

    /// The first of messages that were taken from elsewhere just now; the others are for others. What has come meanwhile was
    /// taken before them, and is in front of them.
    func first(of item: WorkItem, _ others: [WorkItem], _ elsewhere: Elsewhere) -> WorkItem {
        if others.isEmpty, pushes.load(ordering: .relaxed) == elsewhere.pushes { return item }
        let (first, woken) = state.withLock { state -> (WorkItem, Signal?) in
            guard !state.isClosed, !state.isEmpty else {
                for other in others { state.push(other) }
                return (item, state.idleToWake())
            }
            for item in [item] + others { state.push(item) }
            return (state.pop() ?? item, state.idleToWake())
        }
        woken?.signal()
        return first
    }

    /// Where messages of a queue come from, if there is nothing else to be done.
    func idleSource(of queueName: String) -> WorkSource? {
        state.withLock { state in
            guard !state.isClosed, state.isEmpty else { return nil }
            return state.sources.first { $0.queueName == queueName }
        }
    }

    /// Where messages come from.
    var sources: [WorkSource] { state.withLock(\.sources) }

    /// Where messages came from; from now on they come from nowhere.
    func takeSources() -> [WorkSource] {
        state.withLock { state in
            defer { state.sources = [] }
            return state.sources
        }
    }

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

    /// Takes out what came from a source and was not begun, first come first.
    func drain(of source: WorkSource) -> [WorkItem] {
        state.withLock { state in
            var drained: [WorkItem] = []
            for place in state.levels.indices {
                drained += state.levels[place].items.filter { $0.source === source }
                state.levels[place].items.removeAll { $0.source === source }
            }
            return drained
        }
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
    fileprivate mutating func push(_ item: WorkItem, atFront: Bool = false) {
        let priority = item.delivered.actor.priority
        let place = levels.firstIndex { $0.priority >= priority } ?? levels.endIndex
        if place == levels.endIndex || levels[place].priority != priority {
            levels.insert(WorkQueue.Level(priority: priority), at: place)
        }
        if atFront {
            levels[place].items.prepend(item)
        } else {
            levels[place].items.append(item)
        }
    }

    /// Takes out one processor with nothing to do if there is something. Once it has its message it wakes the next one:
    /// so no more of them wake than find a thread while there is something left.
    fileprivate mutating func idleToWake() -> Signal? {
        idle.isEmpty || isEmpty ? nil : idle.removeLast()
    }

    fileprivate var isEmpty: Bool {
        for place in levels.indices where !levels[place].items.isEmpty { return false }
        return true
    }

    /// There are as many levels as actors have priorities, so empty ones stay.
    fileprivate mutating func pop() -> WorkItem? {
        for place in levels.indices {
            if let item = levels[place].items.popFirst() { return item }
        }
        return nil
    }
}
