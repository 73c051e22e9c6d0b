import Synchronization

/// Carries messages within this process: the default for programs on one machine, and for tests.
///
/// Messages keep their priorities (`broker_priority`, larger first), delays and dead letters. Settlements are atomic.
/// Nothing survives the process.
public final class InMemoryTransport: Transport {
    /// The form in which messages wait.
    public enum Fidelity: Sendable {
        /// As values: the fastest.
        case values
        /// As bytes, encoded when sent and decoded when taken as on a server, so that tests meet the encoder.
        case bytes
    }

    private let fidelity: Fidelity
    private let state = Mutex(InMemoryQueues())

    public init(fidelity: Fidelity = .values) {
        self.fidelity = fidelity
    }

    /// No limit: what a worker holds takes no more memory than what waits here.
    public var delayedPrefetch: Int { .max }

    public func declare(queue name: String) async throws {
        state.withLock { $0.declare(name) }
    }

    // MARK: Sending

    public func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws {
        let entries = try envelopes.map { try entry($0) }
        if let barriers { _ = try await Self.commit(barriers) }
        wake(state.withLock { state in entries.compactMap { state.push($0) } })
    }

    private func entry(_ envelope: Envelope) throws -> InMemoryQueues.Entry {
        let options = envelope.message.options
        let payload: Delivery.Payload
        switch fidelity {
        case .values:
            if let failure = envelope.message.argumentFailure { throw failure }
            payload = .envelope(envelope)
        case .bytes:
            payload = .bytes(try envelope.encoded())
        }
        return InMemoryQueues.Entry(
            queueName: envelope.queueName,
            payload: payload,
            priority: options.isEmpty ? 0 : options["broker_priority"]?.intValue ?? 0
        )
    }

    private static func commit(_ barriers: BarrierCommit) async throws -> BarrierCommit.Result {
        if let backend = barriers.backend as? InMemoryRateLimiterBackend { return try backend.commitNow(barriers) }
        return try await barriers.backend.commit(barriers)
    }

    private func wake(_ signals: [Signal]) {
        for signal in signals { signal.signal() }
    }

    // MARK: Settling

    public func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult {
        // Everything that can fail comes first; what follows can't.
        let entries = try settlement.enqueues.map { try entry($0) }
        let successors = try settlement.successors.map { try entry($0) }
        guard state.withLock({ $0.holds(delivery) }) else {
            let message = try? delivery.message(decoder: JSONMessageEncoder())
            throw BrokerError.deliveryNotHeld(queue: delivery.queueName, messageID: message?.messageID)
        }
        var isReleased = true
        if let barriers = settlement.barriers {
            switch try await Self.commit(barriers) {
            case .committed: break
            case .opened: return .barrierOpened
            case .waiting, .alreadyReleased: isReleased = false
            }
        }
        let signals = state.withLock { state in
            var signals = entries.compactMap { state.push($0) }
            if isReleased { signals += successors.compactMap { state.push($0) } }
            if let signal = state.finish(delivery, settlement.outcome) { signals.append(signal) }
            return signals + state.finishedJoiners()
        }
        wake(signals)
        return isReleased ? .committed : .notReleased
    }

    // MARK: Taking

    public func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer {
        try await declare(queue: queue)
        return InMemoryConsumer(transport: self, queueName: queue, id: state.withLock { $0.makeConsumer() })
    }

    fileprivate func take(_ queue: String, limit: Int, consumer: Int) -> [Delivery] {
        state.withLock { $0.take(queue, limit: limit, consumer: consumer) }
    }

    fileprivate func close(consumer: Int) {
        wake(state.withLock { $0.close(consumer: consumer) })
    }

    fileprivate func wait(_ queue: String, _ signal: Signal) async {
        guard state.withLock({ $0.wait(queue, signal) }) else { return }
        await signal.wait()
        state.withLock { $0.stopWaiting(queue, signal) }
    }

    // MARK: Looking after it

    /// The names of the queues.
    public var queueNames: [String] { state.withLock(\.names) }

    /// How many messages of a queue, delayed ones included, are not finished.
    public func unfinishedCount(queue: String) -> Int {
        state.withLock { $0.unfinished(queue) }
    }

    /// The dead letters of a queue, oldest first.
    public func deadLetters(queue: String = "default") -> [DeadLetter] {
        state.withLock { $0.deadLetters(queue) }
    }

    /// Puts a dead letter back into its queue, to be processed again.
    ///
    /// - Throws: ``BrokerError/deadLetterNotFound(queue:id:)``.
    public func requeueDeadLetter(_ id: String, queue: String = "default") throws {
        let (isFound, signal) = state.withLock { state -> (Bool, Signal?) in
            guard var entry = state.removeDeadLetter(queue, id) else { return (false, nil) }
            entry.isRedelivered = true
            return (true, state.push(entry))
        }
        guard isFound else { throw BrokerError.deadLetterNotFound(queue: queue, id: id) }
        signal?.signal()
    }

    /// Removes a dead letter for good.
    ///
    /// - Throws: ``BrokerError/deadLetterNotFound(queue:id:)``.
    public func removeDeadLetter(_ id: String, queue: String = "default") throws {
        guard state.withLock({ $0.removeDeadLetter(queue, id) }) != nil else {
            throw BrokerError.deadLetterNotFound(queue: queue, id: id)
        }
    }

    /// Waits until every message of a queue is finished: processed or a dead letter, delayed ones included.
    ///
    /// A message that is sent while others are processed counts, so the end of a workflow whose tasks all use this
    /// queue can be waited for.
    ///
    /// - Throws: ``BrokerError/joinTimeout(queue:unfinished:)``, or `CancellationError`.
    public func join(queue: String = "default", timeout: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + timeout
        let signal = Signal()
        state.withLock { $0.join(queue, signal) }
        defer { state.withLock { $0.stopJoining(signal) } }
        while true {
            let unfinished = unfinishedCount(queue: queue)
            if unfinished == 0 { return }
            guard ContinuousClock.now < deadline else {
                throw BrokerError.joinTimeout(queue: queue, unfinished: unfinished)
            }
            await signal.wait(until: deadline)
            try Task.checkCancellation()
        }
    }

    /// Waits until every message of every queue is finished.
    ///
    /// - Throws: ``BrokerError/joinTimeout(queue:unfinished:)``, or `CancellationError`.
    public func joinAll(timeout: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + timeout
        while let busy = queueNames.first(where: { unfinishedCount(queue: $0) > 0 }) {
            try await join(queue: busy, timeout: max(.zero, ContinuousClock.now.duration(to: deadline)))
        }
    }
}

private final class InMemoryConsumer: TransportConsumer {
    private let transport: InMemoryTransport
    private let queueName: String
    private let id: Int
    private let signal = Signal()
    private let isClosed = Mutex(false)

    init(transport: InMemoryTransport, queueName: String, id: Int) {
        self.transport = transport
        self.queueName = queueName
        self.id = id
    }

    func next(limit: Int) async throws -> [Delivery] {
        while !Task.isCancelled, !isClosed.withLock({ $0 }) {
            let deliveries = transport.take(queueName, limit: limit, consumer: id)
            if !deliveries.isEmpty { return deliveries }
            await transport.wait(queueName, signal)
        }
        return []
    }

    func close() async {
        isClosed.withLock { $0 = true }
        signal.signal()
        transport.close(consumer: id)
    }
}
