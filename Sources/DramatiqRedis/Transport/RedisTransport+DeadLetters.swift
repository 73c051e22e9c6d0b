public import Dramatiq

/// Dead letters are in the place where Python's dramatiq keeps them, which has no room for a reason: those that Python
/// put there have an empty one. They are removed after ``Configuration/deadLetterTTL``.
extension RedisTransport {
    /// How many letters one script handles.
    private static let pageSize = 500
    /// How many bytes of messages are held at a time; a single message may have more.
    private static let pageBytes = 8 << 20

    public func deadLetterCount(queue: String = "default") async throws -> Int {
        try await executor.execute(RedisCommand("ZCARD", keys.deadLetters(queue))).count()
    }

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
            letters += try await page(queue, position, count)
            position += count
            rest -= count
        }
        return letters
    }

    private func page(_ queue: String, _ position: Int, _ count: Int) async throws -> [DeadLetter] {
        let reply = try await executor.evaluate(
            DeadLetterScripts.list, keys: [keys.namespace], QueueName.canonical(queue), position, count
        ).array()
        return try Self.letters(reply, queue)
    }

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
                timestamp: try reply[index + 1].date())
        }
    }

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

    @discardableResult
    public func requeueDeadLetters(
        queue: String, encoder: any MessageEncoder, where isIncluded: DeadLetterFilter?
    ) async throws -> Int {
        if let isIncluded {
            return try await forEachPage(queue, isIncluded) { letters in
                try await requeue(letters.map { ($0.id, $0.payload.bytes) }, queue, encoder)
            }
        }
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
        return try await executor.execute(command).count()
    }

    public func removeDeadLetter(_ id: String, queue: String = "default") async throws {
        guard try await remove(queue, count: 1, ids: [id]) == 1 else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
    }

    @discardableResult
    public func removeDeadLetters(queue: String, where isIncluded: DeadLetterFilter?) async throws -> Int {
        if let isIncluded {
            return try await forEachPage(queue, isIncluded) { letters in
                try await remove(queue, count: letters.count, ids: letters.map(\.id))
            }
        }
        var rest = try await deadLetterCount(queue: queue)
        var removed = 0
        while rest > 0 {
            let count = min(rest, Self.pageSize)
            removed += try await remove(queue, count: count, ids: [])
            rest -= count
        }
        return removed
    }

    /// Removes the dead letters of some ids, or the oldest ones. Returns how many were there.
    private func remove(_ queue: String, count: Int, ids: [String]) async throws -> Int {
        try await executor.evaluate(
            DeadLetterScripts.remove, keys: [keys.namespace], QueueName.canonical(queue), count, list: ids
        ).count()
    }

    /// Does something with those dead letters of a queue that a filter includes and that takes them away.
    ///
    /// - Returns: the sum of what that returns.
    private func forEachPage(
        _ queue: String,
        _ isIncluded: DeadLetterFilter,
        _ body: ([DeadLetter]) async throws -> Int
    ) async throws -> Int {
        var rest = try await deadLetterCount(queue: queue)
        var (position, result) = (0, 0)
        while rest > 0 {
            let count = min(rest, Self.pageSize)
            let included = try await page(queue, position, count).filter(isIncluded)
            if !included.isEmpty { result += try await body(included) }
            position += count - included.count
            rest -= count
        }
        return result
    }
}

extension Delivery.Payload {
    /// What was read from the server.
    fileprivate var bytes: [UInt8] {
        if case .bytes(let bytes) = self { bytes } else { [] }
    }
}
