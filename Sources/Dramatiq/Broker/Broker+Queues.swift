/// What is done to queues most often, without asking for ``Broker/operations`` first.
extension Broker {
    /// Pauses a queue for all workers: see ``QueueOperations/pause(queue:)`` for what that means.
    ///
    /// - Throws: ``OperationNotSupported`` if the transport can't, ``BrokerError/Code/invalidQueueName``, or what the
    ///   transport throws.
    public func pause(queue: String) async throws { try await operations.pause(queue: queue) }

    /// Lets workers take from a queue again that was paused.
    ///
    /// - Throws: ``OperationNotSupported`` if the transport can't, or what the transport throws.
    public func resume(queue: String) async throws { try await operations.resume(queue: queue) }

    /// Removes the messages of a queue that wait or are delayed, for good: see ``QueueOperations/flush(queue:)``.
    ///
    /// - Returns: how many there were.
    /// - Throws: ``OperationNotSupported`` if the transport can't, or what the transport throws.
    @discardableResult
    public func flush(queue: String) async throws -> Int { try await operations.flush(queue: queue) }

    /// Waits until every message of a queue is finished, delayed ones included.
    ///
    /// - Throws: ``BrokerError/Code/joinTimeout``, `CancellationError`, ``OperationNotSupported`` if the transport can't.
    public func join(queue: String, timeout: Duration = .seconds(60)) async throws {
        try await operations.join(queue: queue, timeout: timeout)
    }

    /// Waits until every message of these queues is finished, delayed ones included: also what is sent from one of them
    /// to another meanwhile.
    ///
    /// - Throws: ``BrokerError/Code/joinTimeout``, `CancellationError`, ``OperationNotSupported`` if the transport can't.
    public func join(queues: [String], timeout: Duration = .seconds(60)) async throws {
        try await operations.join(queues: queues, timeout: timeout)
    }

    /// Waits until every message of the queues of this broker's actors is finished, as ``join(queues:timeout:)``.
    ///
    /// - Throws: ``BrokerError/Code/joinTimeout``, `CancellationError`, ``OperationNotSupported`` if the transport can't.
    public func joinAll(timeout: Duration = .seconds(60)) async throws {
        try await join(queues: queueNames, timeout: timeout)
    }
}
