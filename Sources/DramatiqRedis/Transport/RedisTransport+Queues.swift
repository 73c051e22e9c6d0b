import Dramatiq

/// How a queue does.
public struct RedisQueueStatus: Sendable, Hashable {
    public let name: String
    /// Messages that wait for a worker.
    public let waiting: Int
    /// Messages that workers have taken and not settled.
    public let taken: Int
    /// Messages that are delayed.
    public let delayed: Int
    public let deadLetters: Int
    /// The bytes of the message that is next; `nil` if none waits.
    public let next: [UInt8]?
    /// When the oldest dead letter became one, in milliseconds since 1970.
    public let oldestDeadLetter: Int?
    /// Keys with names of the queue's that hold something else than what belongs there. They count as empty.
    public let foreignKeys: [ForeignKey]

    /// A key that is not what its name says.
    public struct ForeignKey: Sendable, Hashable {
        public let name: String
        /// What it holds, in the words of Redis: `string`, `list`, `set`, `zset`, `hash`, `stream`.
        public let type: String
    }
}

/// A worker, or a producer in Python, that was heard not too long ago.
public struct RedisWorkerStatus: Sendable, Hashable {
    public let id: String
    /// When it was heard, in milliseconds since 1970.
    public let lastHeard: Int
}

extension RedisTransport {
    /// The names of the queues that hold something, sorted. Looks at all keys of the database, little by little.
    ///
    /// A key with a queue's name may hold something else (see ``RedisQueueStatus/foreignKeys``). Keys of namespaces whose
    /// names begin with this one's are not taken for queues.
    public func queueNames() async throws -> [String] {
        var names: Set<String> = []
        let prefix = "\(keys.namespace):"
        try await executor.scan(matching: RedisKeys.escaped(prefix) + "*.msgs", near: keys.namespace) { key in
            guard key.hasPrefix(prefix), !key.hasPrefix(keys.takenPrefix) else { return }
            let name = QueueName.canonical(String(key.dropFirst(prefix.count).dropLast(5)))
            if QueueName.isValid(name) { names.insert(name) }
        }
        return names.sorted()
    }

    /// How a queue does. Keys that hold something else than a queue's are left out and named.
    public func status(queue: String) async throws -> RedisQueueStatus {
        let queue = QueueName.canonical(queue)
        let reply = try await executor.evaluate(QueueScripts.status, keys: [keys.namespace], queue).array()
        guard reply.count == 7 else { throw RedisError(.unexpectedReply, "The status of a queue has 7 parts") }
        let foreign = try reply[6].array()
        let waiting = try reply[0].integer()
        return RedisQueueStatus(
            name: queue,
            waiting: waiting,
            taken: max(0, try reply[1].integer() - waiting),
            delayed: try reply[2].integer(),
            deadLetters: try reply[3].integer(),
            next: reply[4].isNull ? nil : try reply[4].bytes(),
            oldestDeadLetter: reply[5].isNull ? nil : try reply[5].moment(),
            foreignKeys: try stride(from: 0, to: foreign.count - 1, by: 2).map {
                RedisQueueStatus.ForeignKey(name: try foreign[$0].text(), type: try foreign[$0 + 1].text())
            })
    }

    /// The workers that were heard, the latest first.
    public func workers() async throws -> [RedisWorkerStatus] {
        let reply = try await executor.evaluate(QueueScripts.workers, keys: [keys.namespace]).array()
        return try stride(from: 0, to: reply.count - 1, by: 2).map {
            RedisWorkerStatus(id: try reply[$0].text(), lastHeard: try reply[$0 + 1].moment())
        }
    }

    /// How many messages of a queue, delayed ones included, are not finished.
    public func unfinishedCount(queue: String = "default") async throws -> Int {
        let counts = try await executor.pipeline([
            RedisCommand("HLEN", keys.messages(QueueName.canonical(queue))),
            RedisCommand("HLEN", keys.messages(QueueName.delayed(queue))),
        ])
        return try counts.reduce(0) { try $0 + $1.get().integer() }
    }

    /// Waits until every message of a queue is finished: processed or a dead letter, delayed ones included.
    ///
    /// - Throws: `BrokerError.joinTimeout`, `RedisError` or `CancellationError`.
    public func join(queue: String = "default", timeout: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            let unfinished = try await unfinishedCount(queue: queue)
            if unfinished == 0 { return }
            guard ContinuousClock.now < deadline else {
                throw BrokerError.joinTimeout(queue: queue, unfinished: unfinished)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

extension RESPValue {
    /// Milliseconds since 1970 as a sorted set holds them. Others may have written any number there, and infinity; what no
    /// clock shows becomes the nearest that JSON can carry.
    func moment() throws(RedisError) -> Int {
        let limit = Double(1 << 53)
        let number = try double()
        return number.isNaN ? 0 : Int(max(-limit, min(limit, number)))
    }

    /// A text for people to read; what is not UTF-8 in it is replaced.
    func text() throws(RedisError) -> String {
        String(decoding: try bytes(), as: UTF8.self)
    }
}
