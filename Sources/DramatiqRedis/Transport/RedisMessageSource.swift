import Dramatiq
import Synchronization

/// One worker's share of one queue: takes messages and gives them back.
final class RedisMessageSource: Sendable {
    /// How many bytes of messages are taken in one step; a single message may have more.
    private static let maximumSize = 8 << 20
    /// How many ids one script handles.
    static let maximumCount = 500

    let workerID: String
    let queueName: String
    let watcher: QueueWatcher
    private let executor: any RedisExecutor
    private let keys: RedisKeys
    private let ledger: TakenLedger
    /// Ids that are held apart from the ledger.
    private let held = Mutex<Set<String>>([])
    /// Whether the server may have given out messages that never got here.
    private let mayHaveStrays = Mutex(false)

    init(executor: any RedisExecutor, keys: RedisKeys, workerID: String, queueName: String, ledger: TakenLedger) {
        self.executor = executor
        self.keys = keys
        self.workerID = workerID
        self.queueName = queueName
        self.ledger = ledger
        watcher = QueueWatcher(executor: executor, list: keys.queue(queueName))
        ledger.observe(queueName, watcher.arrival)
    }

    /// What follows `__acks__.` in the key of the ids that are taken.
    var taken: String { "\(workerID).\(queueName)" }

    /// A message as it was taken.
    struct Message: Sendable {
        let id: String
        let bytes: [UInt8]
    }

    /// Takes messages, or finds those that were taken without anybody knowing. Empty if there are none.
    func take(limit: Int) async throws -> [Message] {
        if mayHaveStrays.withLock({ $0 }) {
            let strays = try await strays(limit: limit)
            if !strays.isEmpty { return strays }
        }
        let command = RedisCommand(
            QueueScripts.fetch, keys: [keys.namespace], workerID, queueName, min(limit, Self.maximumCount),
            Self.maximumSize)
        do {
            let reply = try await executor.execute(command).array()
            return try stride(from: 0, to: reply.count - 1, by: 2).map {
                Message(id: try reply[$0].string(), bytes: try reply[$0 + 1].bytes())
            }
        } catch {
            suspectStrays()
            throw error
        }
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
    func giveBack(_ ids: [String]) async throws {
        var rest = ids[...]
        while !rest.isEmpty {
            var command = RedisCommand(
                QueueScripts.giveBack, keys: [keys.namespace], workerID, queueName, Self.maximumCount, "", "RPUSH")
            for id in rest.prefix(Self.maximumCount) { command.append(id) }
            _ = try await executor.execute(command)
            rest = rest.dropFirst(Self.maximumCount)
        }
    }

    /// Gives everything back that is taken.
    func giveBackAll() async throws {
        let command = RedisCommand(
            QueueScripts.giveBack, keys: [keys.namespace], workerID, queueName, Self.maximumCount, "", "RPUSH")
        while try await executor.execute(command).integer() == Self.maximumCount {}
        ledger.end(taken: taken)
    }

    // MARK: What is held

    /// Makes a delivery of a message.
    func deliveries(_ messages: [Message]) -> [Delivery] {
        let tags = ledger.add(
            messages.map { TakenMessage(taken: taken, queueName: queueName, id: $0.id) })
        return zip(messages, tags).map { message, tag in
            Delivery(queueName: queueName, tag: tag, payload: .bytes(message.bytes), isRedelivered: false)
        }
    }

    /// Notes ids that are held without being delivered.
    func hold(_ ids: some Sequence<String>) {
        held.withLock { $0.formUnion(ids) }
    }

    func stopHolding(_ ids: some Sequence<String>) {
        held.withLock { $0.subtract(ids) }
    }

    /// The server counts another number than this process.
    func compare(count: Int) {
        if ledger.ids(taken: taken).count + held.withLock(\.count) != count { suspectStrays() }
    }

    private func suspectStrays() {
        mayHaveStrays.withLock { $0 = true }
        watcher.arrival.signal()
    }

    /// Messages that the server has given out and that never got here: the answer was lost.
    private func strays(limit: Int) async throws -> [Message] {
        mayHaveStrays.withLock { $0 = false }
        do {
            // Before the server is asked, so that what is settled meanwhile is among them. Nothing is taken meanwhile.
            let known = ledger.ids(taken: taken).union(held.withLock(\.self))
            var ids: Set<String> = []
            try await executor.scan(set: keys.taken(worker: workerID, queue: queueName)) { ids.insert($0) }
            let strays = ids.subtracting(known)
            if strays.count > limit { suspectStrays() }
            return try await load(Array(strays.prefix(min(limit, Self.maximumCount))))
        } catch {
            suspectStrays()
            throw error
        }
    }

    func close() {
        ledger.stopObserving(queueName, watcher.arrival)
        watcher.close()
    }
}
