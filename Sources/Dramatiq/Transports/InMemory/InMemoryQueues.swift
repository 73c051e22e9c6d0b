/// What an ``InMemoryTransport`` holds: all its queues, what was taken from them, and who waits.
///
/// Queues are known by their place in a list, so that a message on its way is looked up by name only once.
struct InMemoryQueues {
    /// A message in a queue or in somebody's hands.
    struct Entry {
        /// The queue's place.
        let queue: Int
        let payload: Delivery.Payload
        let priority: Int
        var isRedelivered = false
    }

    private struct Joiner {
        /// The places of the queues and of those for their delays.
        let queues: [Int]
        let signal: Signal
    }

    private var queues: [InMemoryQueue] = []
    private var places: [TextKey: Int] = [:]
    private var held = HeldEntries()
    private var nextConsumer = 0
    private var nextDeadLetter = 0
    private var joiners: [Joiner] = []
    /// Queues that got messages, once for each waiting consumer that was not woken.
    private var unannounced: [Int] = []

    /// The declared queues, without those for delays.
    var names: [String] { places.keys.filter { QueueName.isCanonical($0.text) }.sorted().map(\.text) }

    mutating func declare(_ name: String) {
        _ = place(QueueName.canonical(name))
        _ = place(QueueName.delayed(name))
    }

    /// A queue's place; makes the queue if need be.
    mutating func place(_ name: String) -> Int {
        if let place = places[TextKey(name)] { return place }
        places[TextKey(name)] = queues.count
        queues.append(InMemoryQueue(name: name))
        if QueueName.isCanonical(name) { _ = place(QueueName.delayed(name)) }
        return places[TextKey(name)] ?? 0
    }

    // MARK: Putting in and taking out

    /// Adds a message; ``announce()`` has to follow.
    mutating func push(_ payload: Delivery.Payload, queueName: String, priority: Int) {
        push(Entry(queue: place(queueName), payload: payload, priority: priority), atFront: false)
    }

    private mutating func push(_ entry: Entry, atFront: Bool) {
        if queues[entry.queue].push(entry, atFront: atFront) { unannounced.append(entry.queue) }
    }

    /// The consumers to wake for what was pushed: for each message that is still there one, as long as any wait.
    mutating func announce() -> [Signal] {
        if unannounced.isEmpty { return [] }
        var signals: [Signal] = []
        for place in unannounced {
            if let signal = queues[place].announce() { signals.append(signal) }
        }
        unannounced.removeAll(keepingCapacity: true)
        return signals
    }

    mutating func makeConsumer() -> Int {
        nextConsumer += 1
        return nextConsumer
    }

    /// Takes the first message out.
    mutating func take(_ place: Int, consumer: Int) -> Delivery? {
        guard let entry = queues[place].pop() else { return nil }
        return Delivery(
            queueName: queues[place].name,
            tag: held.add(entry, consumer: consumer),
            payload: entry.payload,
            isRedelivered: entry.isRedelivered
        )
    }

    mutating func take(_ place: Int, limit: Int, consumer: Int) -> [Delivery] {
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(min(limit, queues[place].count))
        while deliveries.count < limit, let delivery = take(place, consumer: consumer) { deliveries.append(delivery) }
        return deliveries
    }

    /// Notes that a consumer waits, unless there is something to take by now.
    mutating func wait(_ place: Int, _ signal: Signal) -> Bool {
        if queues[place].isReady { return false }
        queues[place].waiting.append(signal)
        return true
    }

    mutating func stopWaiting(_ place: Int, _ signal: Signal) {
        queues[place].waiting.removeAll { $0 === signal }
    }

    /// A consumer to wake for what is in a queue, if any waits.
    mutating func wakeNext(_ place: Int) -> Signal? {
        queues[place].announce()
    }

    func holds(_ delivery: Delivery) -> Bool {
        held.contains(delivery.tag)
    }

    /// Ends a delivery.
    mutating func finish(_ delivery: Delivery, _ outcome: Commit.Outcome) {
        guard let entry = held.remove(delivery.tag) else { return }
        queues[entry.queue].unfinished -= 1
        switch outcome {
        case .acknowledge: break
        case .requeue: returnToFront(entry)
        case .reject(let reason): addDeadLetter(entry, reason)
        }
    }

    /// Returns to its queue what a consumer still has; ``announce()`` has to follow.
    mutating func close(consumer: Int) {
        // Each goes to the front, so the last one taken goes first.
        for tag in held.tags(consumer: consumer).reversed() {
            guard let entry = held.remove(tag) else { continue }
            queues[entry.queue].unfinished -= 1
            returnToFront(entry)
        }
    }

    private mutating func returnToFront(_ entry: Entry) {
        var entry = entry
        entry.isRedelivered = true
        push(entry, atFront: true)
    }

    // MARK: Dead letters

    private mutating func addDeadLetter(_ entry: Entry, _ reason: String) {
        nextDeadLetter += 1
        let name = QueueName.canonical(queues[entry.queue].name)
        let letter = DeadLetter(
            id: String(nextDeadLetter), queueName: name, payload: entry.payload,
            reason: PrintableText.escape(reason, limit: PrintableText.reasonLimit),
            timestamp: MessageTimestamp.now.date)
        queues[place(name)].deadLetters.append((letter, entry))
    }

    func deadLetters(_ name: String) -> [(letter: DeadLetter, entry: Entry)] {
        places[TextKey(QueueName.canonical(name))].map { queues[$0].deadLetters } ?? []
    }

    /// Takes a dead letter out. Returns what it was in its queue, or `nil` if there is none.
    mutating func removeDeadLetter(_ name: String, _ id: String) -> Entry? {
        guard let place = places[TextKey(QueueName.canonical(name))],
            let index = queues[place].deadLetters.firstIndex(where: { $0.letter.id.hasSameBytes(as: id) })
        else { return nil }
        return queues[place].deadLetters.remove(at: index).entry
    }

    /// Puts a dead letter back into its queue; ``announce()`` has to follow. Returns whether there is one.
    mutating func requeueDeadLetter(_ name: String, _ id: String, _ encoder: any MessageEncoder) -> Bool {
        guard let entry = removeDeadLetter(name, id) else { return false }
        var (payload, isDelayed) = (entry.payload, false)
        switch entry.payload {
        case .envelope(let envelope):
            if let message = envelope.message.requeued() {
                payload = .envelope(envelope.replacing(message))
                isDelayed = QueueName.isDelayed(message.queueName)
            }
        case .bytes(let bytes):
            let requeued = encoder.requeued(bytes)
            isDelayed = requeued.isDelayed
            if let bytes = requeued.bytes { payload = .bytes(bytes) }
        }
        let canonical = QueueName.canonical(name)
        let place = place(isDelayed ? QueueName.delayed(canonical) : canonical)
        push(Entry(queue: place, payload: payload, priority: entry.priority), atFront: false)
        return true
    }

    // MARK: Looking after them

    /// The places of a queue and of its delay queue, as far as there are any.
    private func bothPlaces(_ name: String) -> (queue: Int?, delayed: Int?) {
        (places[TextKey(QueueName.canonical(name))], places[TextKey(QueueName.delayed(name))])
    }

    func status(_ name: String) -> QueueStatus {
        var status = QueueStatus(name: QueueName.canonical(name))
        let (place, delayed) = bothPlaces(name)
        if let place {
            let queue = queues[place]
            status.isPaused = queue.isPaused
            status.waiting = queue.count
            status.inFlight = queue.unfinished - queue.count
            status.deadLetters = queue.deadLetters.count
            status.next = queue.first?.payload
            status.oldestDeadLetter = queue.deadLetters.first?.letter.timestamp
        }
        if let delayed { status.delayed = queues[delayed].unfinished }
        return status
    }

    func sample(_ name: String, limit: Int) -> [QueuedMessage] {
        let (place, delayed) = bothPlaces(name)
        var sample: [QueuedMessage] = []
        for place in [place, delayed].compactMap(\.self) {
            for entry in queues[place].entries + held.entries(queue: place) where sample.count < limit {
                sample.append(QueuedMessage(id: nil, payload: entry.payload))
            }
        }
        return sample
    }

    func isPaused(_ place: Int) -> Bool { queues[place].isPaused }

    mutating func pause(_ name: String) {
        queues[place(QueueName.canonical(name))].isPaused = true
    }

    /// Returns the consumers to wake.
    mutating func resume(_ name: String) -> [Signal] {
        guard let place = bothPlaces(name).queue else { return [] }
        return queues[place].resume()
    }

    /// Removes what waits, and all that is delayed. Returns how many there were.
    mutating func flush(_ name: String) -> Int {
        let (place, delayed) = bothPlaces(name)
        var count = 0
        for place in [place, delayed].compactMap(\.self) { count += queues[place].removeAll() }
        guard let delayed else { return count }
        // What a worker holds until it is due is not in flight yet.
        for tag in held.tags(queue: delayed) where held.remove(tag) != nil {
            queues[delayed].unfinished -= 1
            count += 1
        }
        return count
    }

    // MARK: Waiting for the end

    /// Messages of some queues, delayed ones included, that are not finished. One that is named twice counts once.
    func unfinished(_ names: [String]) -> Int {
        var counted: Set<Int> = []
        for name in names {
            let (place, delayed) = bothPlaces(name)
            counted.formUnion([place, delayed].compactMap(\.self))
        }
        return counted.reduce(0) { $0 + queues[$1].unfinished }
    }

    mutating func join(_ names: [String], _ signal: Signal) {
        var places: [Int] = []
        for name in names {
            places.append(place(QueueName.canonical(name)))
            places.append(place(QueueName.delayed(name)))
        }
        joiners.append(Joiner(queues: places, signal: signal))
    }

    mutating func stopJoining(_ signal: Signal) {
        joiners.removeAll { $0.signal === signal }
    }

    /// Those that wait for queues which have become empty.
    func finishedJoiners() -> [Signal] {
        if joiners.isEmpty { return [] }
        return joiners.filter { $0.queues.allSatisfy { queues[$0].unfinished == 0 } }.map(\.signal)
    }
}
