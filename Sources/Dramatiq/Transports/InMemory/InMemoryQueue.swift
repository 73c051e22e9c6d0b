import DequeModule

/// One queue of an ``InMemoryTransport``.
struct InMemoryQueue {
    /// The messages of one priority.
    private struct Level {
        let priority: Int
        var entries: Deque<InMemoryQueues.Entry> = []
    }

    let name: String
    /// Whether nothing is given out.
    var isPaused = false
    /// The largest priority first. All but a last one hold messages.
    private var levels: [Level] = []
    /// How many messages are ready.
    private(set) var count = 0
    /// The consumers that wait for a message.
    var waiting: Deque<Signal> = []
    /// How many of them shall be woken.
    private var announcements = 0
    /// Messages that are in the queue or taken and not settled.
    var unfinished = 0
    /// Dead letters, and what they were in their queues.
    var deadLetters: [(letter: DeadLetter, entry: InMemoryQueues.Entry)] = []

    init(name: String) {
        self.name = name
    }

    /// Whether there is a message to be given out.
    var isReady: Bool { count > 0 && !isPaused }

    /// The message that is next.
    var first: InMemoryQueues.Entry? { levels.first?.entries.first }

    /// What is ready, in its order.
    var entries: [InMemoryQueues.Entry] { levels.flatMap(\.entries) }

    /// Removes what is ready. Returns how many there were.
    mutating func removeAll() -> Int {
        defer {
            unfinished -= count
            count = 0
            levels = []
        }
        return count
    }

    /// Adds a message. Returns whether one more of those that wait shall be woken.
    mutating func push(_ entry: InMemoryQueues.Entry, atFront: Bool) -> Bool {
        unfinished += 1
        count += 1
        let level = level(entry.priority)
        if atFront {
            levels[level].entries.prepend(entry)
        } else {
            levels[level].entries.append(entry)
        }
        guard !isPaused, announcements < waiting.count else { return false }
        announcements += 1
        return true
    }

    /// One of those that shall be woken, unless somebody else has taken the messages.
    mutating func announce() -> Signal? {
        announcements = max(0, announcements - 1)
        return isReady ? waiting.popFirst() : nil
    }

    /// Gives out messages again. Returns those to be woken for them.
    mutating func resume() -> [Signal] {
        isPaused = false
        let woken = waiting.prefix(count)
        waiting.removeFirst(woken.count)
        return Array(woken)
    }

    /// Takes the first message of the largest priority out.
    mutating func pop() -> InMemoryQueues.Entry? {
        guard !isPaused, !levels.isEmpty, let entry = levels[0].entries.popFirst() else { return nil }
        count -= 1
        // The last one stays, so that a queue with one priority keeps its memory.
        if levels[0].entries.isEmpty, levels.count > 1 { levels.removeFirst() }
        return entry
    }

    /// The place of a priority's level, made if need be.
    private mutating func level(_ priority: Int) -> Int {
        if levels.count == 1, levels[0].priority != priority, levels[0].entries.isEmpty { levels = [] }
        var (low, high) = (0, levels.count)
        while low < high {
            let middle = (low + high) / 2
            if levels[middle].priority > priority { low = middle + 1 } else { high = middle }
        }
        if low == levels.count || levels[low].priority != priority {
            levels.insert(Level(priority: priority), at: low)
        }
        return low
    }
}
