import Synchronization

/// Carries messages within this process: the default for programs on one machine, and for tests.
///
/// Messages keep their priorities (`broker_priority`, larger first), delays and dead letters. Settlements are atomic.
/// Nothing survives the process.
public final class InMemoryTransport: ImmediateTransport {
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

    /// A year: dead letters stay until they are removed, but what their workflows need may be kept elsewhere.
    public var deadLetterRetention: Duration { .seconds(365 * 86_400) }

    public func declare(queue name: String) async throws {
        state.withLock { $0.declare(name) }
    }

    // MARK: Sending

    /// A message in the form in which it waits.
    fileprivate struct Outgoing {
        let queueName: String
        let payload: Delivery.Payload
        let priority: Int
    }

    public func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws {
        let outgoing = try envelopes.map { try self.outgoing($0) }
        if let barriers { _ = try await Self.commit(barriers) }
        wake(
            state.withLock { state in
                for message in outgoing { state.push(message) }
                return state.announce()
            })
    }

    package func sendNow(_ envelope: Envelope) throws {
        let outgoing = try outgoing(envelope)
        wake(
            state.withLock { state in
                state.push(outgoing)
                return state.announce()
            })
    }

    private func outgoing(_ envelope: Envelope) throws -> Outgoing {
        let payload: Delivery.Payload
        switch fidelity {
        case .values:
            if let failure = envelope.message.argumentFailure { throw failure }
            // Nobody reads it again here, but what one transport takes the others shall take, too.
            if envelope.message.depth > JSONMessageEncoder.defaultMaximumDepth { _ = try envelope.encoded() }
            payload = .envelope(envelope)
        case .bytes:
            payload = .bytes(try envelope.encoded())
        }
        return Outgoing(
            queueName: envelope.queueName, payload: payload, priority: try envelope.message.brokerPriority())
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
        if let result = try settleNow(delivery, settlement) {
            wakeConsumers()
            return result
        }
        guard let barriers = settlement.barriers else { return .committed }
        let parts = try parts(settlement)
        try checkIsHeld(delivery)
        let result = try await SplitSettlement(barriers).settle(
            end: { try end(delivery, settlement.outcome, parts, sendsSuccessors: $0) }, releaseDidFail: { _ in })
        wakeConsumers()
        return result
    }

    package func settleNow(_ delivery: Delivery, _ settlement: Settlement) throws -> SettlementResult? {
        // Everything that can fail comes first; what follows can't.
        let parts = try parts(settlement)
        guard let barriers = settlement.barriers else {
            return try end(delivery, settlement.outcome, parts, sendsSuccessors: true)
        }
        guard let backend = barriers.backend as? InMemoryRateLimiterBackend else { return nil }
        try checkIsHeld(delivery)
        switch try backend.commitNow(barriers) {
        case .opened: return .barrierOpened
        case .committed: return try end(delivery, settlement.outcome, parts, sendsSuccessors: true)
        case .waiting, .alreadyReleased: return try end(delivery, settlement.outcome, parts, sendsSuccessors: false)
        }
    }

    /// Ends a delivery and sends its messages, in one step; ``wakeConsumers()`` has to follow.
    private func end(
        _ delivery: Delivery,
        _ outcome: Settlement.Outcome,
        _ parts: (enqueues: [Outgoing], successors: [Outgoing]),
        sendsSuccessors: Bool
    ) throws -> SettlementResult {
        let joiners = state.withLock { state -> [Signal]? in
            guard state.holds(delivery) else { return nil }
            for message in parts.enqueues { state.push(message) }
            if sendsSuccessors { for message in parts.successors { state.push(message) } }
            state.finish(delivery, outcome)
            return state.finishedJoiners()
        }
        guard let joiners else { throw notHeld(delivery) }
        wake(joiners)
        return sendsSuccessors ? .committed : .notReleased
    }

    private func parts(_ settlement: Settlement) throws -> (enqueues: [Outgoing], successors: [Outgoing]) {
        (try settlement.enqueues.map { try outgoing($0) }, try settlement.successors.map { try outgoing($0) })
    }

    private func checkIsHeld(_ delivery: Delivery) throws {
        guard state.withLock({ $0.holds(delivery) }) else { throw notHeld(delivery) }
    }

    private func notHeld(_ delivery: Delivery) -> BrokerError {
        let message = try? delivery.message(decoder: JSONMessageEncoder())
        return BrokerError.deliveryNotHeld(queue: delivery.queueName, messageID: message?.messageID)
    }

    package func wakeConsumers() {
        wake(state.withLock { $0.announce() })
    }

    // MARK: Taking

    public func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer {
        let (place, id) = state.withLock { state in
            state.declare(queue)
            return (state.place(queue), state.makeConsumer())
        }
        return InMemoryConsumer(transport: self, place: place, id: id)
    }

    fileprivate func take(_ place: Int, limit: Int, consumer: Int) -> [Delivery] {
        state.withLock { $0.take(place, limit: limit, consumer: consumer) }
    }

    fileprivate func take(_ place: Int, consumer: Int) -> Delivery? {
        state.withLock { $0.take(place, consumer: consumer) }
    }

    fileprivate func close(consumer: Int) {
        wake(
            state.withLock { state in
                state.close(consumer: consumer)
                return state.announce()
            })
    }

    fileprivate func wait(_ place: Int, _ signal: Signal) async {
        guard state.withLock({ $0.wait(place, signal) }) else { return }
        await signal.wait()
        state.withLock { $0.stopWaiting(place, signal) }
    }

    /// Wakes another consumer, in the place of one that may have been woken for a message and doesn't take it.
    fileprivate func passOn(_ place: Int) {
        state.withLock { $0.wakeNext(place) }?.signal()
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

    /// Puts a dead letter back into its queue, to be processed again with all its retries.
    ///
    /// The options that its attempts left are taken out: `retries`, `traceback` and `requeue_timestamp`. One whose delay
    /// is not over yet goes on waiting.
    ///
    /// - Parameter encoder: reads and writes the message, if the transport keeps bytes. What it can't read goes back as
    ///   it is.
    /// - Throws: ``BrokerError/deadLetterNotFound(queue:id:)``.
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

extension InMemoryQueues {
    fileprivate mutating func push(_ message: InMemoryTransport.Outgoing) {
        push(message.payload, queueName: message.queueName, priority: message.priority)
    }
}

private final class InMemoryConsumer: ImmediateConsumer {
    private let transport: InMemoryTransport
    /// The queue's place in the transport.
    private let place: Int
    private let id: Int
    private let signal = Signal()
    private let isClosed = Mutex(false)

    init(transport: InMemoryTransport, place: Int, id: Int) {
        self.transport = transport
        self.place = place
        self.id = id
    }

    func next(limit: Int) async throws -> [Delivery] {
        while !Task.isCancelled, !isClosed.withLock({ $0 }) {
            let deliveries = transport.take(place, limit: max(1, limit), consumer: id)
            if !deliveries.isEmpty { return deliveries }
            await transport.wait(place, signal)
        }
        transport.passOn(place)
        return []
    }

    func takeNow() -> Delivery? {
        transport.take(place, consumer: id)
    }

    func close() async {
        isClosed.withLock { $0 = true }
        signal.signal()
        transport.close(consumer: id)
    }
}
