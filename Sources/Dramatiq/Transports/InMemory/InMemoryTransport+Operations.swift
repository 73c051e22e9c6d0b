import Synchronization

/// Nothing here has to be waited for, so most can be called without `await`.
extension InMemoryTransport: QueueOperations {
    /// The names of the declared queues and of those that something was sent to or that were paused, sorted.
    public func queueNames() -> [String] { state.withLock(\.names) }

    public func status(queue: String = "default") -> QueueStatus {
        state.withLock { $0.status(queue) }
    }

    public func sample(queue: String = "default", limit: Int = 100) -> [QueuedMessage] {
        state.withLock { $0.sample(queue, limit: max(0, limit)) }
    }

    public func unfinishedCount(queues: [String]) -> Int {
        state.withLock { $0.unfinished(queues) }
    }

    public func join(queues: [String], timeout: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + timeout
        let signal = Signal()
        state.withLock { $0.join(queues, signal) }
        defer { state.withLock { $0.stopJoining(signal) } }
        while true {
            let unfinished = unfinishedCount(queues: queues)
            if unfinished == 0 { return }
            guard ContinuousClock.now < deadline else {
                throw BrokerError.joinTimeout(queues: queues, unfinished: unfinished)
            }
            await signal.wait(until: deadline)
            try Task.checkCancellation()
        }
    }

    /// Waits until every message of every queue is finished, also of queues that are made meanwhile.
    ///
    /// - Throws: ``BrokerError/Code/joinTimeout``, or `CancellationError`.
    public func joinAll(timeout: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + timeout
        var names: [String]
        repeat {
            names = queueNames()
            try await join(queues: names, timeout: max(.zero, ContinuousClock.now.duration(to: deadline)))
        } while names.count < queueNames().count
    }

    @discardableResult
    public func flush(queue: String = "default") -> Int {
        let (count, joiners) = state.withLock { state in (state.flush(queue), state.finishedJoiners()) }
        wake(joiners)
        return count
    }

    public func pause(queue: String = "default") async throws {
        try QueueName.check(QueueName.canonical(queue))
        state.withLock { $0.pause(queue) }
    }

    public func resume(queue: String = "default") async {
        wake(state.withLock { $0.resume(queue) })
    }

    // MARK: Dead letters

    public func deadLetterCount(queue: String = "default") -> Int {
        state.withLock { $0.deadLetters(queue).count }
    }

    public func deadLetters(queue: String = "default", offset: Int = 0, limit: Int = 100) -> [DeadLetter] {
        let letters = state.withLock { $0.deadLetters(queue) }
        return letters.dropFirst(max(0, offset)).prefix(max(0, limit)).map(\.letter)
    }

    public func deadLetter(_ id: String, queue: String = "default") throws -> DeadLetter {
        guard let found = state.withLock({ $0.deadLetters(queue) }).first(where: { $0.letter.id.hasSameBytes(as: id) })
        else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
        return found.letter
    }

    public func requeueDeadLetter(
        _ id: String,
        queue: String = "default",
        encoder: any MessageEncoder = JSONMessageEncoder()
    ) throws {
        let signals = state.withLock { state -> [Signal]? in
            state.requeueDeadLetter(queue, id, encoder) ? state.announce() : nil
        }
        guard let signals else { throw BrokerError.deadLetterNotFound(queue: queue, id: id) }
        wake(signals)
    }

    public func removeDeadLetter(_ id: String, queue: String = "default") throws {
        guard state.withLock({ $0.removeDeadLetter(queue, id) }) != nil else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
    }
}
