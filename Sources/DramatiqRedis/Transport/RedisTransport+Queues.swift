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
}

/// A worker, or a producer in Python, that was heard not too long ago.
public struct RedisWorkerStatus: Sendable, Hashable {
    public let id: String
    /// When it was heard, in milliseconds since 1970.
    public let lastHeard: Int
}

extension RedisTransport {
    /// The names of the queues that hold something, sorted. Looks at all keys of the database, little by little.
    public func queueNames() async throws -> [String] {
        var names: Set<String> = []
        let prefix = "\(keys.namespace):"
        try await executor.scan(matching: RedisKeys.escaped(prefix) + "*.msgs", near: keys.namespace) { key in
            names.insert(QueueName.canonical(String(key.dropFirst(prefix.count).dropLast(5))))
        }
        return names.sorted()
    }

    /// How a queue does.
    public func status(queue: String) async throws -> RedisQueueStatus {
        let queue = QueueName.canonical(queue)
        let reply = try await executor.evaluate(QueueScripts.status, keys: [keys.namespace], queue).array()
        guard reply.count == 6 else { throw RedisError(.unexpectedReply, "The status of a queue has 6 parts") }
        let waiting = try reply[0].integer()
        return RedisQueueStatus(
            name: queue,
            waiting: waiting,
            taken: max(0, try reply[1].integer() - waiting),
            delayed: try reply[2].integer(),
            deadLetters: try reply[3].integer(),
            next: reply[4].isNull ? nil : try reply[4].bytes(),
            oldestDeadLetter: reply[5].isNull ? nil : Int(try reply[5].double()))
    }

    /// The workers that were heard, the latest first.
    public func workers() async throws -> [RedisWorkerStatus] {
        let reply = try await executor.evaluate(QueueScripts.workers, keys: [keys.namespace]).array()
        return try stride(from: 0, to: reply.count - 1, by: 2).map {
            RedisWorkerStatus(id: try reply[$0].string(), lastHeard: Int(try reply[$0 + 1].double()))
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
