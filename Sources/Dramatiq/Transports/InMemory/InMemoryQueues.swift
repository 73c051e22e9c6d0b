import DequeModule

/// What an ``InMemoryTransport`` holds: all its queues, what was taken from them, and who waits.
struct InMemoryQueues {
    /// A message in a queue or in somebody's hands.
    struct Entry {
        let queueName: String
        let payload: Delivery.Payload
        let priority: Int
        var isRedelivered = false
    }

    struct Queue {
        /// By priority; a queue without priorities has one bucket.
        var ready: [Int: Deque<Entry>] = [:]
        var priorities: [Int] = []
        /// The consumers that wait for a message.
        var waiting: Deque<Signal> = []
        /// Messages that are in the queue or taken and not settled.
        var unfinished = 0
        var deadLetters: [(letter: DeadLetter, entry: Entry)] = []
    }

    private var queues: [String: Queue] = [:]
    /// What was taken and not settled, with the consumer that has it.
    private var held: [UInt64: (entry: Entry, consumer: Int)] = [:]
    private var nextConsumer = 0
    private var nextTag: UInt64 = 0
    private var joiners: [(queue: String, signal: Signal)] = []

    /// The declared queues, without those for delays.
    var names: [String] { queues.keys.filter { QueueName.canonical($0) == $0 }.sorted() }

    mutating func declare(_ name: String) {
        let canonical = QueueName.canonical(name)
        if queues[canonical] == nil { queues[canonical] = Queue() }
        let delayed = QueueName.delayed(name)
        if queues[delayed] == nil { queues[delayed] = Queue() }
    }

    // MARK: Putting in and taking out

    /// Adds a message and returns the consumer to wake, if one waits.
    mutating func push(_ entry: Entry) -> Signal? {
        if queues[entry.queueName] == nil { declare(entry.queueName) }
        return queues[entry.queueName, default: Queue()].push(entry)
    }

    mutating func makeConsumer() -> Int {
        nextConsumer += 1
        return nextConsumer
    }

    mutating func take(_ name: String, limit: Int, consumer: Int) -> [Delivery] {
        var deliveries: [Delivery] = []
        while deliveries.count < limit, let entry = queues[name]?.pop() {
            nextTag += 1
            held[nextTag] = (entry, consumer)
            deliveries.append(
                Delivery(
                    queueName: name, tag: nextTag, payload: entry.payload, isRedelivered: entry.isRedelivered))
        }
        return deliveries
    }

    /// Notes that a consumer waits, unless there is something to take by now.
    mutating func wait(_ name: String, _ signal: Signal) -> Bool {
        guard queues[name]?.priorities.isEmpty ?? true else { return false }
        queues[name, default: Queue()].waiting.append(signal)
        return true
    }

    mutating func stopWaiting(_ name: String, _ signal: Signal) {
        queues[name]?.waiting.removeAll { $0 === signal }
    }

    func holds(_ delivery: Delivery) -> Bool {
        held[delivery.tag] != nil
    }

    /// Ends a delivery. Returns the consumer to wake, if the message went back and one waits.
    mutating func finish(_ delivery: Delivery, _ outcome: Settlement.Outcome) -> Signal? {
        guard let (entry, _) = held.removeValue(forKey: delivery.tag) else { return nil }
        queues[entry.queueName]?.unfinished -= 1
        switch outcome {
        case .acknowledge:
            return nil
        case .requeue:
            return returnToFront(entry)
        case .reject(let reason):
            addDeadLetter(entry, reason)
            return nil
        }
    }

    /// Returns to its queue what a consumer still has. Returns the consumers to wake.
    mutating func close(consumer: Int) -> [Signal] {
        let tags = held.filter { $0.value.consumer == consumer }.map(\.key)
        // Each goes to the front, so the last one taken goes first.
        return tags.sorted(by: >).compactMap { tag in
            guard let (entry, _) = held.removeValue(forKey: tag) else { return nil }
            queues[entry.queueName]?.unfinished -= 1
            return returnToFront(entry)
        }
    }

    private mutating func returnToFront(_ entry: Entry) -> Signal? {
        var entry = entry
        entry.isRedelivered = true
        return queues[entry.queueName, default: Queue()].push(entry, atFront: true)
    }

    // MARK: Dead letters

    private mutating func addDeadLetter(_ entry: Entry, _ reason: String) {
        nextTag += 1
        let name = QueueName.canonical(entry.queueName)
        let letter = DeadLetter(
            id: String(nextTag), queueName: name, payload: entry.payload, reason: reason,
            timestamp: SystemClock.milliseconds())
        queues[name, default: Queue()].deadLetters.append((letter, entry))
    }

    func deadLetters(_ name: String) -> [DeadLetter] {
        queues[QueueName.canonical(name)]?.deadLetters.map(\.letter) ?? []
    }

    /// Takes a dead letter out. Returns what it was in its queue, or `nil` if there is none.
    mutating func removeDeadLetter(_ name: String, _ id: String) -> Entry? {
        let name = QueueName.canonical(name)
        guard let index = queues[name]?.deadLetters.firstIndex(where: { $0.letter.id == id }) else { return nil }
        return queues[name]?.deadLetters.remove(at: index).entry
    }

    // MARK: Waiting for the end

    /// Messages of a queue, delayed ones included, that are not finished.
    func unfinished(_ name: String) -> Int {
        let name = QueueName.canonical(name)
        return (queues[name]?.unfinished ?? 0) + (queues[QueueName.delayed(name)]?.unfinished ?? 0)
    }

    /// All messages that are not finished.
    var unfinished: Int { queues.values.reduce(0) { $0 + $1.unfinished } }

    mutating func join(_ name: String, _ signal: Signal) {
        joiners.append((QueueName.canonical(name), signal))
    }

    mutating func stopJoining(_ signal: Signal) {
        joiners.removeAll { $0.signal === signal }
    }

    /// Those that wait for a queue which has become empty.
    func finishedJoiners() -> [Signal] {
        if joiners.isEmpty { return [] }
        return joiners.filter { unfinished($0.queue) == 0 }.map(\.signal)
    }
}

extension InMemoryQueues.Queue {
    fileprivate mutating func push(_ entry: InMemoryQueues.Entry, atFront: Bool = false) -> Signal? {
        unfinished += 1
        if ready[entry.priority] == nil || ready[entry.priority]?.isEmpty == true {
            let place = priorities.firstIndex { $0 < entry.priority } ?? priorities.endIndex
            priorities.insert(entry.priority, at: place)
        }
        if atFront {
            ready[entry.priority, default: []].prepend(entry)
        } else {
            ready[entry.priority, default: []].append(entry)
        }
        return waiting.popFirst()
    }

    fileprivate mutating func pop() -> InMemoryQueues.Entry? {
        guard let priority = priorities.first else { return nil }
        let entry = ready[priority]?.popFirst()
        if ready[priority]?.isEmpty ?? true { priorities.removeFirst() }
        return entry
    }
}
