/// Looks after the queues of a transport: how they do, what is in them, and their dead letters.
///
/// A broker gives its transport's as ``Broker/operations``. Queues have the names that actors know; that of a delay queue
/// or a queue of dead letters stands for the queue that it belongs to. What is asked may have changed by the time of the
/// answer.
public protocol QueueOperations: Sendable {
    /// The names of the queues that are declared, hold something or are paused, sorted.
    ///
    /// - Throws: what the transport throws.
    func queueNames() async throws -> [String]

    /// How a queue does. One that nobody knows is empty.
    ///
    /// - Throws: what the transport throws.
    func status(queue: String) async throws -> QueueStatus

    /// Some of a queue's messages: waiting, in flight or delayed, in no order. Only reads.
    ///
    /// - Parameters:
    ///   - queue: the queue's name.
    ///   - limit: how many at most.
    /// - Throws: what the transport throws.
    func sample(queue: String, limit: Int) async throws -> [QueuedMessage]

    /// How many messages of these queues together, delayed ones included, are not finished.
    ///
    /// All are counted at one moment: counted one after the other, a message that was sent from one queue to another
    /// meanwhile would be in neither.
    ///
    /// - Throws: what the transport throws.
    func unfinishedCount(queues: [String]) async throws -> Int

    /// Waits until every message of these queues is finished: processed or a dead letter, delayed ones included.
    ///
    /// A message that is sent while others are processed counts, so the end of a workflow whose tasks all use these queues
    /// can be waited for. The messages of a queue that is paused don't finish. Defaults to asking for
    /// ``unfinishedCount(queues:)`` every 5 ms.
    ///
    /// - Throws: ``BrokerError/Code/joinTimeout``, or `CancellationError`.
    func join(queues: [String], timeout: Duration) async throws

    /// Removes the messages of a queue that wait, and those that are delayed, for good. What is in flight goes on, and
    /// dead letters stay. A workflow whose messages are removed doesn't go on.
    ///
    /// - Returns: how many there were.
    /// - Throws: what the transport throws.
    @discardableResult
    func flush(queue: String) async throws -> Int

    /// Pauses a queue: once this has returned, the transport hands out nothing more of it, to any worker, until it is
    /// resumed. Pausing twice is pausing once.
    ///
    /// What is sent to it waits, also what comes back or was delayed and is due, and dead letters can be requeued. It stays
    /// paused for as long as the transport keeps messages, whatever becomes of its workers and of who paused it; one that
    /// nobody has used can be paused, too. What runs goes on. A worker gives back what it has taken and not begun, to the
    /// front of the queue and without costing an attempt, as soon as it learns of the pause. Until then, for about a second
    /// if it can reach its server, it may begin such a message: nothing runs any more once
    /// ``QueueStatus/inFlight`` is 0. Workers of Python know nothing of it and go on.
    ///
    /// Defaults to not being supported.
    ///
    /// - Throws: ``OperationNotSupported``, ``BrokerError/Code/invalidQueueName``, or what the transport throws.
    func pause(queue: String) async throws

    /// Lets workers take from a queue again that was paused; otherwise does nothing. They begin within about a second.
    ///
    /// Defaults to not being supported.
    ///
    /// - Throws: ``OperationNotSupported``, or what the transport throws.
    func resume(queue: String) async throws

    /// The workers that were heard not too long ago, the latest first. Defaults to not being supported.
    ///
    /// - Throws: ``OperationNotSupported`` if the transport doesn't know them.
    func workers() async throws -> [WorkerStatus]

    // MARK: Dead letters

    /// How many dead letters a queue has. Defaults to what ``status(queue:)`` says.
    ///
    /// - Throws: what the transport throws.
    func deadLetterCount(queue: String) async throws -> Int

    /// Dead letters of a queue, oldest first.
    ///
    /// - Parameters:
    ///   - queue: the queue's name.
    ///   - offset: how many to leave out.
    ///   - limit: how many at most.
    /// - Throws: what the transport throws.
    func deadLetters(queue: String, offset: Int, limit: Int) async throws -> [DeadLetter]

    /// One dead letter.
    ///
    /// - Throws: ``BrokerError/Code/deadLetterNotFound``.
    func deadLetter(_ id: String, queue: String) async throws -> DeadLetter

    /// Puts a dead letter back into its queue, to be processed again with all its retries.
    ///
    /// The options that its attempts left are taken out: `retries`, `traceback` and `requeue_timestamp`. It keeps its
    /// format, such as LZ4. One whose delay is not over yet goes on waiting.
    ///
    /// - Parameters:
    ///   - id: the dead letter's id.
    ///   - queue: the queue's name.
    ///   - encoder: reads and writes the message where it is kept as bytes; the broker's, if that writes something else
    ///     than JSON. What it can't read goes back as it is.
    /// - Throws: ``BrokerError/Code/deadLetterNotFound``.
    func requeueDeadLetter(_ id: String, queue: String, encoder: any MessageEncoder) async throws

    /// Puts dead letters of a queue back into it, as ``requeueDeadLetter(_:queue:encoder:)``, oldest first.
    ///
    /// What becomes a dead letter meanwhile is left alone. Defaults to doing so one by one.
    ///
    /// - Parameters:
    ///   - queue: the queue's name.
    ///   - encoder: as for ``requeueDeadLetter(_:queue:encoder:)``.
    ///   - isIncluded: which of them; all if it is `nil`.
    /// - Returns: how many there were.
    /// - Throws: what the transport or the filter throws; some may have been handled by then.
    @discardableResult
    func requeueDeadLetters(
        queue: String, encoder: any MessageEncoder, where isIncluded: DeadLetterFilter?
    ) async throws -> Int

    /// Removes a dead letter for good.
    ///
    /// - Throws: ``BrokerError/Code/deadLetterNotFound``.
    func removeDeadLetter(_ id: String, queue: String) async throws

    /// Removes dead letters of a queue for good.
    ///
    /// What becomes a dead letter meanwhile is left alone. Defaults to doing so one by one.
    ///
    /// - Parameters:
    ///   - queue: the queue's name.
    ///   - isIncluded: which of them; all if it is `nil`.
    /// - Returns: how many there were.
    /// - Throws: what the transport or the filter throws; some may have been handled by then.
    @discardableResult
    func removeDeadLetters(queue: String, where isIncluded: DeadLetterFilter?) async throws -> Int
}

/// Whether a dead letter is meant.
public typealias DeadLetterFilter = @Sendable (DeadLetter) throws -> Bool

extension QueueOperations {
    public func pause(queue: String) async throws { throw OperationNotSupported("pause") }
    public func resume(queue: String) async throws { throw OperationNotSupported("resume") }
    public func workers() async throws -> [WorkerStatus] { throw OperationNotSupported("workers") }

    public func join(queues: [String], timeout: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            let unfinished = try await unfinishedCount(queues: queues)
            if unfinished == 0 { return }
            guard ContinuousClock.now < deadline else {
                throw BrokerError.joinTimeout(queues: queues, unfinished: unfinished)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// How many messages of a queue, delayed ones included, are not finished.
    ///
    /// - Throws: what the transport throws.
    public func unfinishedCount(queue: String = "default") async throws -> Int {
        try await unfinishedCount(queues: [queue])
    }

    /// Waits until every message of a queue is finished: see ``join(queues:timeout:)``.
    ///
    /// - Throws: ``BrokerError/Code/joinTimeout``, or `CancellationError`.
    public func join(queue: String = "default", timeout: Duration = .seconds(60)) async throws {
        try await join(queues: [queue], timeout: timeout)
    }

    public func deadLetterCount(queue: String) async throws -> Int {
        try await status(queue: queue).deadLetters
    }

    @discardableResult
    public func requeueDeadLetters(
        queue: String, encoder: any MessageEncoder, where isIncluded: DeadLetterFilter?
    ) async throws -> Int {
        try await forEachDeadLetter(queue, isIncluded) { id in
            try await requeueDeadLetter(id, queue: queue, encoder: encoder)
        }
    }

    /// Puts all dead letters of a queue back into it.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func requeueDeadLetters(
        queue: String = "default", encoder: any MessageEncoder = JSONMessageEncoder()
    ) async throws -> Int {
        try await requeueDeadLetters(queue: queue, encoder: encoder, where: nil)
    }

    @discardableResult
    public func removeDeadLetters(queue: String, where isIncluded: DeadLetterFilter?) async throws -> Int {
        try await forEachDeadLetter(queue, isIncluded) { id in try await removeDeadLetter(id, queue: queue) }
    }

    /// Removes all dead letters of a queue for good.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func removeDeadLetters(queue: String = "default") async throws -> Int {
        try await removeDeadLetters(queue: queue, where: nil)
    }

    /// Does something with each dead letter that is there now.
    ///
    /// - Returns: with how many of them; others may have taken some away.
    private func forEachDeadLetter(
        _ queue: String,
        _ isIncluded: DeadLetterFilter?,
        _ body: (_ id: String) async throws -> Void
    ) async throws -> Int {
        var ids: [String] = []
        var position = 0
        while true {
            let page = try await deadLetters(queue: queue, offset: position, limit: 100)
            if page.isEmpty { break }
            for letter in page where try isIncluded?(letter) ?? true { ids.append(letter.id) }
            position += page.count
        }
        var count = 0
        for id in ids {
            do {
                try await body(id)
                count += 1
            } catch let error as BrokerError where error.code == .deadLetterNotFound {
                // Somebody else has seen to it.
            }
        }
        return count
    }
}

/// Something that was asked of operations or of a transport, which it can't do.
public struct OperationNotSupported: PermanentError, Sendable, Hashable, CustomStringConvertible {
    /// What it can't do.
    public let operation: String

    public init(_ operation: String) {
        self.operation = operation
    }

    public var description: String { "The transport doesn't support this operation: \(operation)" }
}

/// An error that may concern one queue or one message only: others can still be looked after.
public protocol ConfinedError: Error {
    /// Whether it is such an error; for types that also stand for others, such as a lost connection.
    var isConfined: Bool { get }
}
