public import Dramatiq

/// Dead letters are in the place where Python's dramatiq keeps them, which has no room for a reason: those that Python
/// put there have an empty one. They are removed after ``Configuration/deadLetterTTL``.
extension RedisTransport {
    /// How many letters one script handles.
    private static let pageSize = 500

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
        // Beyond that a script would not take it for a whole number.
        var position = min(max(0, offset), 1 << 50)
        var rest = max(0, limit)
        while rest > 0 {
            let count = min(rest, Self.pageSize)
            let page = try await executor.evaluate(
                DeadLetterScripts.list, keys: [keys.namespace], QueueName.canonical(queue), position, count
            ).array()
            letters += try Self.letters(page, queue)
            if page.isEmpty { break }
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
                id: try reply[index].string(),
                queueName: QueueName.canonical(queue),
                payload: .bytes(try reply[index + 2].bytes()),
                reason: String(decoding: try reply[index + 3].bytes(), as: UTF8.self),
                timestamp: try reply[index + 1].integer())
        }
    }

    /// Puts a dead letter back into its queue, to be processed again.
    ///
    /// - Throws: `BrokerError.deadLetterNotFound`.
    public func requeueDeadLetter(_ id: String, queue: String = "default") async throws {
        guard try await change(DeadLetterScripts.requeue, queue, id) == 1 else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
    }

    /// Puts all dead letters of a queue back into it.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func requeueDeadLetters(queue: String = "default") async throws -> Int {
        try await changeAll(DeadLetterScripts.requeue, queue)
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
