public import Dramatiq

/// Dead letters are in the place where Python's dramatiq keeps them, which has no room for a reason: those that Python
/// put there have an empty one. They are removed after ``Configuration/deadLetterTTL``.
extension RedisTransport {
    /// How many letters one script handles.
    private static let pageSize = 500
    /// How many bytes of messages are held at a time; a single message may have more.
    private static let pageBytes = 8 << 20

    /// How many dead letters a queue has.
    public func deadLetterCount(queue: String = "default") async throws -> Int {
        try await executor.execute(RedisCommand("ZCARD", keys.deadLetters(queue))).integer()
    }

    /// Dead letters of a queue, oldest first.
    ///
    /// - Parameters:
    ///   - offset: how many to leave out.
    ///   - limit: how many at most.
    public func deadLetters(
        queue: String = "default",
        offset: Int = 0,
        limit: Int = 100
    ) async throws -> [DeadLetter] {
        var letters: [DeadLetter] = []
        let total = try await deadLetterCount(queue: queue)
        var position = min(max(0, offset), total)
        var rest = min(max(0, limit), total - position)
        while rest > 0 {
            let count = min(rest, Self.pageSize)
            let page = try await executor.evaluate(
                DeadLetterScripts.list, keys: [keys.namespace], QueueName.canonical(queue), position, count
            ).array()
            letters += try Self.letters(page, queue)
            position += count
            rest -= count
        }
        return letters
    }

    /// One dead letter.
    ///
    /// - Throws: `BrokerError.deadLetterNotFound`.
    public func deadLetter(_ id: String, queue: String = "default") async throws -> DeadLetter {
        let reply = try await executor.evaluate(
            DeadLetterScripts.list, keys: [keys.namespace], QueueName.canonical(queue), id
        ).array()
        guard let letter = try Self.letters(reply, queue).first else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
        return letter
    }

    private static func letters(_ reply: [RESPValue], _ queue: String) throws -> [DeadLetter] {
        try stride(from: 0, to: reply.count - 3, by: 4).map { index in
            DeadLetter(
                id: try reply[index].text(),
                queueName: QueueName.canonical(queue),
                payload: .bytes(try reply[index + 2].bytes()),
                reason: String(decoding: try reply[index + 3].bytes(), as: UTF8.self),
                timestamp: try reply[index + 1].moment())
        }
    }

    /// Puts a dead letter back into its queue, to be processed again with all its retries.
    ///
    /// The options that its attempts left are taken out: `retries`, `traceback` and `requeue_timestamp`. It keeps its
    /// format, such as LZ4. One whose delay is not over yet goes on waiting.
    ///
    /// - Parameter encoder: reads and writes the message; the broker's, if it has another one. What it can't read goes
    ///   back as it is.
    /// - Throws: `BrokerError.deadLetterNotFound`.
    public func requeueDeadLetter(
        _ id: String,
        queue: String = "default",
        encoder: any MessageEncoder = JSONMessageEncoder()
    ) async throws {
        let page = try await contents(queue, count: 1, id: id)
        guard try await requeue(page, queue, encoder) == 1 else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
    }

    /// Puts all dead letters of a queue back into it; see ``requeueDeadLetter(_:queue:encoder:)``.
    ///
    /// What becomes a dead letter meanwhile is left alone.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func requeueDeadLetters(
        queue: String = "default",
        encoder: any MessageEncoder = JSONMessageEncoder()
    ) async throws -> Int {
        var rest = try await deadLetterCount(queue: queue)
        var requeued = 0
        while rest > 0 {
            let page = try await contents(queue, count: min(rest, Self.pageSize))
            if page.isEmpty { break }
            requeued += try await requeue(page, queue, encoder)
            rest -= page.count
        }
        return requeued
    }

    /// The bytes of dead letters, oldest first, as many as memory allows.
    private func contents(_ queue: String, count: Int, id: String? = nil) async throws -> [(id: String, bytes: [UInt8])]
    {
        var command = RedisCommand(
            DeadLetterScripts.contents, keys: [keys.namespace], QueueName.canonical(queue), count, Self.pageBytes)
        if let id { command.append(id) }
        let reply = try await executor.execute(command).array()
        return try stride(from: 0, to: reply.count - 1, by: 2).map {
            (try reply[$0].string(), try reply[$0 + 1].bytes())
        }
    }

    /// Puts dead letters back that are still there. Returns how many were.
    private func requeue(
        _ page: [(id: String, bytes: [UInt8])],
        _ queue: String,
        _ encoder: any MessageEncoder
    ) async throws -> Int {
        var command = RedisCommand(
            DeadLetterScripts.requeue, keys: [keys.namespace], QueueName.canonical(queue))
        for (id, bytes) in page {
            let (changed, isDelayed) = encoder.requeued(bytes)
            command.append(id)
            command.append(isDelayed ? ".DQ" : "")
            command.append(changed ?? [])
        }
        return try await executor.execute(command).integer()
    }

    /// Removes a dead letter for good.
    ///
    /// - Throws: `BrokerError.deadLetterNotFound`.
    public func removeDeadLetter(_ id: String, queue: String = "default") async throws {
        guard try await change(DeadLetterScripts.remove, queue, id) == 1 else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
    }

    /// Removes all dead letters of a queue for good.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func removeDeadLetters(queue: String = "default") async throws -> Int {
        try await changeAll(DeadLetterScripts.remove, queue)
    }

    private func change(_ script: RedisScript, _ queue: String, _ id: String) async throws -> Int {
        try await executor.evaluate(script, keys: [keys.namespace], QueueName.canonical(queue), 1, id).integer()
    }

    /// What becomes a dead letter meanwhile is left alone, so that this ends.
    private func changeAll(_ script: RedisScript, _ queue: String) async throws -> Int {
        var rest = try await deadLetterCount(queue: queue)
        var changed = 0
        while rest > 0 {
            let count = min(rest, Self.pageSize)
            changed += try await executor.evaluate(
                script, keys: [keys.namespace], QueueName.canonical(queue), count
            ).integer()
            rest -= count
        }
        return changed
    }
}
