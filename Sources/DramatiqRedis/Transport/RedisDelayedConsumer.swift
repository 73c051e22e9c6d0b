import DequeModule
import Dramatiq
import Synchronization

/// Takes messages from a delay queue, and hands them out when they are due.
///
/// The ids of all that is delayed are taken, as a worker of Python takes them, so that they are this worker's until it
/// leaves or dies; ids and times stay in memory, and the messages themselves as far as a bound allows, so that they need
/// not be read again. So a message never waits for another one that was delayed for longer. Beyond a limit those that are
/// due last go back to the end of the queue, and the rest of the queue is looked at little by little.
final class RedisDelayedConsumer: TransportConsumer {
    private struct State {
        var waiting: WaitingMessages
        /// What may have taken workers with it and waits for its turn to be read, as ids and crashes.
        var suspects: Deque<(id: String, crashes: UInt16)> = []
        var isClosed = false
    }

    /// How much longer a look at more than the limit is paused after than it took.
    private static let restFactor = 4
    private static let shortestRest = Duration.milliseconds(20)

    private let source: RedisMessageSource
    private let decoder: any MessageEncoder
    private let maxCrashes: Int?
    private let turn: SuspectTurn
    private let limit: Int
    private let presence: WorkerPresence
    private let state: Mutex<State>

    /// - Parameters:
    ///   - maxCrashes: after how many workers a message isn't read here any more: the worker decides about it.
    ///   - turn: has to be taken to read one that has taken workers with it.
    ///   - limit: how many messages are held at most.
    ///   - memory: how many bytes of them are kept until they are due.
    init(
        source: RedisMessageSource,
        decoder: any MessageEncoder,
        maxCrashes: Int?,
        turn: SuspectTurn,
        limit: Int,
        memory: Int,
        presence: WorkerPresence
    ) {
        state = Mutex(State(waiting: WaitingMessages(maxSize: memory)))
        self.source = source
        self.decoder = decoder
        self.maxCrashes = maxCrashes
        self.turn = turn
        self.limit = limit
        self.presence = presence
    }

    func next(limit: Int) async throws -> [Delivery] {
        while !Task.isCancelled, !state.withLock(\.isClosed) {
            let due = try await due(limit: limit)
            if !due.isEmpty { return due }
            let start = ContinuousClock.now
            _ = try await returnTheLast()
            let suspects = try await readSuspects()
            if !suspects.isEmpty { return suspects }
            guard state.withLock({ $0.suspects.count < limit }) else {
                await source.watcher.wait(until: nextDue)
                continue
            }
            let messages = try await source.take(limit: RedisMessageSource.maxCount)
            let deliverable = try await read(messages)
            if !deliverable.isEmpty { return deliverable }
            if try await returnTheLast() {
                let rest = max(Self.shortestRest, (ContinuousClock.now - start) * Self.restFactor)
                await sleep(until: min(ContinuousClock.now + rest, nextDue ?? .now + rest))
            } else if messages.isEmpty {
                await source.watcher.wait(until: nextDue)
            } else {
                source.watcher.noteActivity()
            }
        }
        return []
    }

    // MARK: Reading

    /// Reads messages, each of which may take this worker with it: a redelivered one is noted before.
    ///
    /// All that came back for the first time is noted at once. If that takes the worker with it, each is read by itself the
    /// next time, and found to be none of that kind unless it is.
    private func read(_ messages: [RedisMessageSource.Message]) async throws -> [Delivery] {
        guard messages.contains(where: { $0.crashes != nil }) else { return hold(messages) }
        var deliverable = hold(messages.filter { $0.crashes == nil })
        do {
            deliverable += try await readWarily(messages.filter { $0.crashes == 0 })
            for message in messages {
                guard let crashes = message.crashes, crashes > 0 else { continue }
                if let maxCrashes, Int(crashes) >= maxCrashes {
                    deliverable += source.deliveries([message])
                } else if state.withLock(\.suspects.isEmpty), let read = try await readInTurn({ [message] }) {
                    deliverable += read
                } else {
                    source.hold(CollectionOfOne(message.id))
                    state.withLock { $0.suspects.append((message.id, crashes)) }
                }
            }
        } catch {
            // What was not read is found again.
            source.suspectStrays()
            if deliverable.isEmpty { throw error }
        }
        return deliverable
    }

    /// Reads one that may have taken workers with it, if it is its turn; `nil` if it is another one's.
    ///
    /// - Parameter load: gets the message; nothing if it is gone.
    private func readInTurn(
        _ load: () async throws -> [RedisMessageSource.Message]
    ) async throws -> [Delivery]? {
        guard turn.begin(orTell: source.watcher.arrival) else { return nil }
        defer { turn.end() }
        return try await readWarily(try await load())
    }

    /// Reads those that waited for their turn, while it is theirs.
    private func readSuspects() async throws -> [Delivery] {
        var deliverable: [Delivery] = []
        do {
            while let suspect = state.withLock({ $0.suspects.first }) {
                let read = try await readInTurn {
                    // From here on it is found again if it isn't read.
                    state.withLock { _ = $0.suspects.popFirst() }
                    source.stopHolding(CollectionOfOne(suspect.id))
                    var messages = try await source.load([suspect.id])
                    for index in messages.indices { messages[index].crashes = suspect.crashes }
                    return messages
                }
                guard let read else { break }
                deliverable += read
            }
        } catch {
            source.suspectStrays()
            if deliverable.isEmpty { throw error }
        }
        return deliverable
    }

    private func readWarily(_ messages: [RedisMessageSource.Message]) async throws -> [Delivery] {
        if messages.isEmpty { return [] }
        // Cut short after the first note, it would look as if a worker had been lost.
        return try await uncancelled { [self] in
            try await source.note(messages.map { ($0.id, Int($0.crashes ?? 0) + 1) })
            let deliverable = hold(messages)
            do {
                try await source.note(messages.map { ($0.id, Int($0.crashes ?? 0)) })
            } catch {
                // They were read; a crash too many is counted, and ends with them.
                source.logNotNoted(error)
            }
            return deliverable
        }
    }

    /// Keeps what has to wait. Returns what hasn't, among it what can't be read: the worker sees to that.
    private func hold(_ messages: [RedisMessageSource.Message]) -> [Delivery] {
        let now = SystemClock.milliseconds()
        var deliverable: [(id: String, crashes: UInt16?, payload: Delivery.Payload)] = []
        var waiting: [WaitingMessages.Message] = []
        for message in messages {
            guard let decoded = try? decoder.decode(message.bytes) else {
                deliverable.append((message.id, message.crashes, .bytes(message.bytes)))
                continue
            }
            // What is large stays as it came, and the worker reads it when it has room for it.
            let payload: Delivery.Payload =
                decoder.isSmall(message.bytes)
                ? .envelope(Envelope(decoded, encoder: decoder)) : .bytes(message.bytes)
            if let eta = try? decoded.eta(), eta > now {
                waiting.append(
                    WaitingMessages.Message(
                        id: message.id, eta: eta, payload: payload, size: size(payload, message.bytes),
                        crashes: message.crashes))
            } else {
                deliverable.append((message.id, message.crashes, payload))
            }
        }
        if !waiting.isEmpty {
            source.hold(waiting.lazy.map(\.id))
            state.withLock { $0.waiting.add(waiting) }
        }
        return deliverable.isEmpty ? [] : source.deliveries(deliverable)
    }

    /// How many bytes it takes to keep a message.
    private func size(_ payload: Delivery.Payload, _ bytes: [UInt8]) -> Int {
        if case .bytes = payload { return bytes.count }
        return max(bytes.count, decoder.maxDecodedSize(of: bytes))
    }

    func note(_ delivery: Delivery, isUnderWay: Bool) async throws {
        try await source.note(delivery, isUnderWay: isUnderWay)
    }

    // MARK: What is due

    /// The messages whose time has come.
    private func due(limit: Int) async throws -> [Delivery] {
        let now = SystemClock.milliseconds()
        let batch = state.withLock { $0.waiting.due(now, limit: max(1, min(limit, RedisMessageSource.maxCount))) }
        if batch.isEmpty { return [] }
        var unread: [TextKey: [UInt8]] = [:]
        do {
            for message in try await source.load(batch.messages.filter { $0.payload == nil }.map(\.id)) {
                unread[TextKey(message.id)] = message.bytes
            }
        } catch {
            state.withLock { $0.waiting.putBack(batch) }
            throw error
        }
        let deliveries = source.deliveries(
            batch.messages.compactMap { message in
                if let payload = message.payload { return (message.id, message.crashes, payload) }
                // What is gone from the server is nobody's any more.
                return unread[TextKey(message.id)].map { (message.id, message.crashes, .bytes($0)) }
            })
        source.stopHolding(batch.ids)
        return deliveries
    }

    /// Returns to the queue what is held beyond the limit. Tells whether there was anything.
    private func returnTheLast() async throws -> Bool {
        let excess = state.withLock { $0.waiting.excess(over: limit) }
        if excess.isEmpty { return false }
        do {
            try await source.returnToQueue(excess.ids)
        } catch {
            state.withLock { $0.waiting.putBack(excess) }
            throw error
        }
        source.stopHolding(excess.ids)
        return true
    }

    /// When the first of those that are held is due. The wall clock can be set, so it is never far.
    private var nextDue: ContinuousClock.Instant? {
        guard let eta = state.withLock({ $0.waiting.firstETA }) else { return nil }
        return .now + .milliseconds(min(max(0, eta - SystemClock.milliseconds()), 60_000))
    }

    private func sleep(until deadline: ContinuousClock.Instant) async {
        try? await Task.sleep(until: deadline, clock: .continuous)
    }

    func close() async {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        source.close()
        await presence.leave(source)
    }

    func finish(by deadline: ContinuousClock.Instant) {
        presence.finish(by: deadline)
    }
}
