import Dramatiq
import Logging
import Synchronization

/// One worker's share of one queue: takes messages and returns them.
final class RedisMessageSource: Sendable {
    /// How many bytes of messages are taken in one step; a single message may have more.
    private static let maxSize = 8 << 20
    /// How many ids one script handles.
    static let maxCount = 1000

    let workerID: String
    let queueName: String
    let watcher: QueueWatcher
    private let executor: any RedisExecutor
    private let keys: RedisKeys
    private let redeliveryTTL: String
    private let ledger: TakenLedger
    private let commits: CommitScripts
    private let logger: Logger
    private struct Held {
        /// Ids that are held apart from the ledger.
        var ids: Set<TextKey> = []
        /// Whether nothing may be relayed, since the server is asked what is taken.
        var isLookingForStrays = false
        var isClosed = false
    }

    private let held = Mutex(Held())
    /// Whether the server may have given out messages that never got here.
    private let mayHaveStrays = Mutex(false)
    /// Whether the queue is paused, as far as is known here.
    private let paused = Atomic(false)
    /// Whether an earlier consumer may have left something behind, since there was no server when it ended.
    private let mayHaveRemains: Mutex<Bool>

    init(
        executor: any RedisExecutor, keys: RedisKeys, workerID: String, queueName: String, redeliveryTTL: String,
        ledger: TakenLedger, commits: CommitScripts, logger: Logger
    ) {
        self.executor = executor
        self.keys = keys
        self.workerID = workerID
        self.queueName = queueName
        self.redeliveryTTL = redeliveryTTL
        self.ledger = ledger
        self.commits = commits
        self.logger = logger
        mayHaveRemains = Mutex(ledger.holdsSomething(taken: "\(workerID).\(queueName)"))
        watcher = QueueWatcher(executor: executor, list: keys.queue(queueName), logger: logger)
        ledger.observe(queueName, watcher.arrival)
    }

    private var isDelayed: Bool { QueueName.isDelayed(queueName) }

    /// For how many milliseconds it is known at least of what this worker returns that it came back. Of what is delayed
    /// nobody asks.
    private var returnTTL: String { isDelayed ? "" : redeliveryTTL }

    /// What follows `__acks__.` in the key of the ids that are taken.
    var taken: String { "\(workerID).\(queueName)" }

    /// A message as it was taken.
    struct Message: Sendable {
        let id: String
        let bytes: [UInt8]
        /// ``TakenMessage/crashes``.
        var crashes: UInt16?
    }

    /// Takes messages, or finds those that were taken without anybody knowing. Empty if there are none, or the queue is
    /// paused.
    func take(limit: Int) async throws -> [Message] {
        let limit = max(1, min(limit, Self.maxCount))
        if mayHaveRemains.withLock({ $0 }) {
            try await returnAll()
            mayHaveRemains.withLock { $0 = false }
        }
        if mayHaveStrays.withLock({ $0 }) {
            let strays = try await strays(limit: limit)
            if !strays.isEmpty { return strays }
        }
        if isPaused { return [] }
        let command = RedisCommand(
            QueueScripts.fetch, keys: [keys.namespace], workerID, queueName, limit, Self.maxSize)
        do {
            let value = try await executor.execute(command)
            if value == .string("PAUSED") {
                note(isPaused: true)
                return []
            }
            let reply = try value.array()
            var messages = try stride(from: 0, to: reply.count - 1, by: 2).map {
                Message(id: try reply[$0].string(), bytes: try reply[$0 + 1].bytes())
            }
            if !reply.count.isMultiple(of: 2) { try note(reply[reply.count - 1].array(), on: &messages) }
            return messages
        } catch {
            suspectStrays()
            throw error
        }
    }

    /// Reads which messages came back.
    private func note(_ returned: [RESPValue], on messages: inout [Message]) throws {
        for index in stride(from: 0, to: returned.count - 1, by: 2) {
            let place = try returned[index].integer()
            guard messages.indices.contains(place) else {
                throw RedisError(
                    .unexpectedReply, "There is no message \(place) that came back", mayHaveTakenEffect: true)
            }
            messages[place].crashes = Self.crashes(returned[index + 1])
        }
    }

    /// What somebody else may have written there is taken for none.
    private static func crashes(_ value: RESPValue) -> UInt16 {
        UInt16(clamping: (try? value.integer()) ?? 0)
    }

    /// The messages of ids that are taken. What is gone from the server is given up.
    func load(_ ids: [String]) async throws -> [Message] {
        if ids.isEmpty { return [] }
        let reply = try await executor.execute(
            RedisCommand("HMGET", keys.messages(queueName), list: ids)
        ).array()
        var messages: [Message] = []
        var lost: [String] = []
        for (id, bytes) in zip(ids, reply) {
            if bytes.isNull { lost.append(id) } else { messages.append(Message(id: id, bytes: try bytes.bytes())) }
        }
        if !lost.isEmpty {
            let taken = keys.taken(worker: workerID, queue: queueName)
            _ = try await executor.execute(RedisCommand("SREM", taken, list: lost))
        }
        return messages
    }

    /// Gives taken messages back, to the end of the queue.
    func returnToQueue(_ ids: [String]) async throws {
        var rest = ids[...]
        while !rest.isEmpty {
            var command = RedisCommand(
                QueueScripts.returnToQueue, keys: [keys.namespace], workerID, queueName, Self.maxCount, "", "RPUSH",
                returnTTL)
            for id in rest.prefix(Self.maxCount) { command.append(id) }
            _ = try await executor.execute(command)
            rest = rest.dropFirst(Self.maxCount)
        }
    }

    /// Returns everything that is taken.
    func returnAll() async throws {
        // What ends in order is no crash.
        let underWay = ledger.underWay(taken: taken)
        if !underWay.isEmpty {
            for message in underWay { try await note([(message.id, Int(message.crashes ?? 0))]) }
        }
        let command = RedisCommand(
            QueueScripts.returnToQueue, keys: [keys.namespace], workerID, queueName, Self.maxCount, "", "RPUSH",
            returnTTL)
        while try await executor.execute(command).integer() == Self.maxCount {}
        ledger.end(taken: taken)
    }

    // MARK: Being paused

    var isPaused: Bool { paused.load(ordering: .acquiring) }

    func note(isPaused: Bool) {
        let wasPaused = paused.exchange(isPaused, ordering: .acquiringAndReleasing)
        if wasPaused, !isPaused { watcher.arrival.signal() }
    }

    /// Whether it has to be found out whether the queue is paused: taking finds that out, but who holds something may not
    /// take for long, and who knows that it is paused doesn't take. What is delayed goes to its queue and waits there.
    var asksForPause: Bool { !isDelayed && (isPaused || ledger.holdsSomething(taken: taken)) }

    /// Waits until the queue should be looked at. While it is paused, the server can't be waited for: there is something.
    func wait() async {
        if isPaused { await watcher.arrival.wait() } else { await watcher.wait() }
    }

    // MARK: What came back

    /// Notes whether a message that came back is under way.
    ///
    /// - Throws: `BrokerError.Code.deliveryNotHeld`.
    func note(_ delivery: Delivery, isUnderWay: Bool) async throws {
        guard let message = delivery.handle as? TakenMessage, let crashes = message.crashes else { return }
        if isUnderWay { message.note(isUnderWay: true) }
        let count = message.isLost ? 0 : try await note([(message.id, Int(crashes) + (isUnderWay ? 1 : 0))])
        guard count == 1 else {
            ledger.end([message])
            throw BrokerError.deliveryNotHeld(queue: queueName, messageID: nil)
        }
        message.note(isUnderWay: isUnderWay)
    }

    /// Notes how many workers are lost over messages if this one is.
    ///
    /// - Returns: how many of them this worker has.
    @discardableResult
    func note(_ crashes: [(id: String, number: Int)]) async throws -> Int {
        var command = RedisCommand(QueueScripts.note, keys: [keys.namespace], taken, queueName, redeliveryTTL)
        for (id, number) in crashes {
            command.append(id)
            command.append(number)
        }
        return try await commits.execute(command).integer()
    }

    func logNotNoted(_ error: any Error) {
        logger.log(
            level: error.redisLogLevel, "What was read of redelivered messages can't be noted",
            metadata: ["queue_name": "\(queueName)", "error": "\(error)"])
    }

    // MARK: What is held

    /// Makes a delivery of a message.
    func deliveries(_ messages: [Message]) -> [Delivery] {
        let taken = ledger.add(messages.map { ($0.id, $0.crashes) }, taken: taken, queueName: queueName)
        return zip(messages, taken).map { delivery(of: $1, .bytes($0.bytes)) }
    }

    /// Makes deliveries of messages that were looked at: that they came back is nobody's concern any more.
    func deliveries(_ messages: [(id: String, crashes: UInt16?, payload: Delivery.Payload)]) -> [Delivery] {
        let taken = ledger.add(messages.map { ($0.id, $0.crashes) }, taken: taken, queueName: queueName)
        return zip(messages, taken).map { delivery(of: $1, $0.payload, isKnown: true) }
    }

    private func delivery(
        of message: TakenMessage,
        _ payload: Delivery.Payload,
        isKnown: Bool = false
    ) -> Delivery {
        let crashes = isKnown ? nil : message.crashes
        var delivery = Delivery(
            queueName: queueName, tag: message.tag, payload: payload, isRedelivered: crashes != nil,
            crashes: Int(crashes ?? 0))
        delivery.handle = message
        return delivery
    }

    /// Notes ids that are held without being delivered.
    func hold(_ ids: some Sequence<String>) {
        held.withLock { $0.ids.formUnion(ids.lazy.map { TextKey($0) }) }
    }

    func stopHolding(_ ids: some Sequence<String>) {
        held.withLock { $0.ids.subtract(ids.lazy.map { TextKey($0) }) }
    }

    /// A message is to be taken by the step that sends it. Returns `false` if that is not possible now.
    func beginRelay(_ id: String) -> Bool {
        held.withLock { held in
            guard !held.isClosed, !held.isLookingForStrays else { return false }
            held.ids.insert(TextKey(id))
            return true
        }
    }

    /// The step has taken the message.
    func endRelay(_ id: String, taking payload: Delivery.Payload) -> Delivery {
        let message = ledger.add([(id, nil)], taken: taken, queueName: queueName)[0]
        // After that: it must always be known.
        stopHolding([id])
        return delivery(of: message, payload)
    }

    /// Nobody knows whether the step has taken the message. If so, it is found.
    func giveUpRelay(_ id: String) {
        stopHolding([id])
        suspectStrays()
    }

    /// The server counts another number than this process.
    func compare(count: Int) {
        if ledger.ids(taken: taken).count + held.withLock(\.ids.count) != count { suspectStrays() }
    }

    /// A message is another worker's.
    func forget(_ message: TakenMessage) {
        ledger.end([message])
    }

    /// The server may have given out messages that nobody here knows.
    func suspectStrays() {
        mayHaveStrays.withLock { $0 = true }
        watcher.arrival.signal()
    }

    /// Finds out what is another worker's by now, if the server counts less than this process: what isn't begun never will
    /// be. Of what is delayed nothing is begun before it is moved.
    func findLost(count: Int) async throws {
        if isDelayed { return }
        // Before the server is asked: all of them were in the set then, or are lost, or have ended since.
        let known = ledger.messages(taken: taken)
        guard known.count > count else { return }
        var ids: Set<TextKey> = []
        try await executor.scan(set: keys.taken(worker: workerID, queue: queueName)) { ids.insert(TextKey($0)) }
        // One that was lost and came back is here twice, and begun once at most.
        var kept: Set<TextKey> = []
        for message in known.filter(\.hasBegun) + known.filter({ !$0.hasBegun }) {
            let id = TextKey(message.id)
            if !ids.contains(id) || !kept.insert(id).inserted { message.lose() }
        }
    }

    /// Messages that the server has given out and that never got here: the answer was lost.
    private func strays(limit: Int) async throws -> [Message] {
        mayHaveStrays.withLock { $0 = false }
        // Nothing is taken meanwhile. What is held goes over to the ledger, so that comes second.
        let heldIDs = held.withLock { held in
            held.isLookingForStrays = true
            return held.ids
        }
        defer { held.withLock { $0.isLookingForStrays = false } }
        do {
            // Before the server is asked, so that what is settled meanwhile is among them.
            let known = ledger.ids(taken: taken).union(heldIDs)
            var ids: Set<TextKey> = []
            try await executor.scan(set: keys.taken(worker: workerID, queue: queueName)) { ids.insert(TextKey($0)) }
            let strays = ids.subtracting(known)
            if strays.count > limit { suspectStrays() }
            var messages = try await load(strays.prefix(limit).map(\.text))
            if messages.isEmpty { return [] }
            let crashes = try await executor.execute(
                RedisCommand("HMGET", keys.redelivered(queueName), list: messages.map(\.id))
            ).array()
            for (place, value) in zip(messages.indices, crashes) where !value.isNull {
                messages[place].crashes = Self.crashes(value)
            }
            return messages
        } catch {
            suspectStrays()
            throw error
        }
    }

    func close() {
        held.withLock { $0.isClosed = true }
        ledger.stopObserving(queueName, watcher.arrival)
        watcher.close()
    }
}
