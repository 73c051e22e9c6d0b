public import Dramatiq

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Keys that hold something else than a queue's are left out and named in ``QueueStatus/problems``.
extension RedisTransport: QueueOperations {
    /// The names of the queues that hold something or are paused, sorted. Looks at all keys of the database, little by little.
    ///
    /// Keys of namespaces whose names begin with this one's are not taken for queues.
    ///
    /// - Throws: ``RedisError``.
    public func queueNames() async throws -> [String] {
        var names: Set<TextKey> = []
        let prefix = "\(keys.namespace):"
        try await executor.scan(matching: RedisKeys.escaped(prefix) + "*.msgs", near: keys.namespace) { key in
            guard key.hasBytePrefix(prefix), !key.hasBytePrefix(keys.takenPrefix) else { return }
            let name = QueueName.canonical(String(Substring(key.utf8.dropFirst(prefix.utf8.count).dropLast(5))))
            if QueueName.isValid(name) { names.insert(TextKey(name)) }
        }
        try await executor.scan(set: keys.paused) { names.insert(TextKey($0)) }
        return names.sorted().map(\.text)
    }

    public func status(queue: String = "default") async throws -> QueueStatus {
        let queue = QueueName.canonical(queue)
        let reply = try await executor.evaluate(QueueScripts.status, keys: [keys.namespace], queue).array()
        guard reply.count == 8 else { throw RedisError(.unexpectedReply, "The status of a queue has 8 parts") }
        let foreign = try reply[6].array()
        let waiting = try reply[0].count()
        return QueueStatus(
            name: queue,
            isPaused: try reply[7].integer() == 1,
            waiting: waiting,
            inFlight: max(0, try reply[1].count() - waiting),
            delayed: try reply[2].count(),
            deadLetters: try reply[3].count(),
            next: reply[4].isNull ? nil : .bytes(try reply[4].bytes()),
            oldestDeadLetter: reply[5].isNull ? nil : try reply[5].date(),
            problems: try stride(from: 0, to: foreign.count - 1, by: 2).map {
                "The key '\(try foreign[$0].text())' holds a \(try foreign[$0 + 1].text()), "
                    + "which is not what queue '\(queue)' has there"
            })
    }

    public func pause(queue: String = "default") async throws {
        let queue = QueueName.canonical(queue)
        try QueueName.check(queue)
        _ = try await executor.evaluate(QueueScripts.pause, keys: [keys.namespace], queue)
    }

    public func resume(queue: String = "default") async throws {
        _ = try await executor.execute(RedisCommand("SREM", keys.paused, QueueName.canonical(queue)))
    }

    /// The workers that were heard, and Python's producers, the latest first.
    ///
    /// - Throws: ``RedisError``.
    public func workers() async throws -> [WorkerStatus] {
        let reply = try await executor.evaluate(QueueScripts.workers, keys: [keys.namespace]).array()
        return try stride(from: 0, to: reply.count - 1, by: 2).map {
            WorkerStatus(id: try reply[$0].text(), lastHeard: try reply[$0 + 1].date())
        }
    }

    public func unfinishedCount(queues: [String]) async throws -> Int {
        let names = Set(queues.lazy.map { TextKey(QueueName.canonical($0)) }).map(\.text)
        return try await executor.evaluate(QueueScripts.unfinished, keys: [keys.namespace], list: names).count()
    }

    @discardableResult
    public func flush(queue: String = "default") async throws -> Int {
        let queue = QueueName.canonical(queue)
        var rest = try await status(queue: queue).waiting
        // What comes meanwhile is left alone, so that this ends.
        var count = 0
        while rest > 0 {
            let page = min(rest, CommitScript.maxUnpack)
            count += try await executor.evaluate(QueueScripts.flush, keys: [keys.namespace], queue, page).count()
            rest -= page
        }
        return count
            + (try await executor.evaluate(QueueScripts.flushDelayed, keys: [keys.namespace], queue).count())
    }
}

extension RESPValue {
    /// A number of things: never less than none, and never so many that sums of it were no numbers, whatever a server says.
    func count() throws(RedisError) -> Int { min(max(0, try integer()), 1 << 48) }

    /// When something happened, in milliseconds since 1970 as a sorted set holds them. Others may have written any number
    /// there, and infinity.
    func date() throws(RedisError) -> Date { Date(milliseconds: try double()) }

    /// A text for people to read; what is not UTF-8 in it is replaced.
    func text() throws(RedisError) -> String {
        String(decoding: try bytes(), as: UTF8.self)
    }
}
