import Synchronization

/// Carries messages within this process: the default for programs on one machine, and for tests.
///
/// Messages keep their priorities (`broker_priority`, larger first), delays and dead letters. Commits hold as a whole or
/// not at all, and include the barriers of an ``InMemoryRateLimiterBackend`` and the results of an ``InMemoryResultBackend``.
/// Nothing survives the process.
public final class InMemoryTransport: Transport {
    /// The form in which messages wait.
    public struct Fidelity: Sendable, Hashable {
        fileprivate let isEncoded: Bool

        /// As values: the fastest.
        public static let values = Fidelity(isEncoded: false)
        /// As bytes, encoded when sent and decoded when taken as on a server, so that tests meet the encoder.
        public static let bytes = Fidelity(isEncoded: true)
    }

    private let fidelity: Fidelity
    let state = Mutex(InMemoryQueues())

    public init(fidelity: Fidelity = .values) {
        self.fidelity = fidelity
    }

    /// Delayed messages have no limit, since what a worker holds takes no more memory than what waits here. Dead letters
    /// stay until they are removed, but what their workflows need may be kept elsewhere: for a year.
    public let traits = TransportTraits(
        isImmediate: true, delayedPrefetch: .max, deadLetterTTL: .seconds(365 * 86_400), knowsRedelivery: true,
        knowsPriorities: true)

    public func declare(queue name: String) async throws {
        state.withLock { $0.declare(name) }
    }

    // MARK: Messages

    /// A message in the form in which it waits.
    fileprivate struct Outgoing: Sendable {
        let queueName: String
        let payload: Delivery.Payload
        let priority: Int
    }

    private func outgoing(_ envelope: Envelope) throws -> Outgoing {
        let payload: Delivery.Payload
        if fidelity.isEncoded {
            payload = .bytes(try envelope.encoded())
        } else {
            if let failure = envelope.message.argumentFailure { throw failure }
            // Nobody reads it again here, but what one transport takes the others shall take, too.
            if envelope.message.depth > JSONMessageEncoder.defaultMaxDepth { _ = try envelope.encoded() }
            payload = .envelope(envelope)
        }
        return Outgoing(
            queueName: envelope.queueName, payload: payload, priority: try envelope.message.brokerPriority())
    }

    func wake(_ signals: [Signal]) {
        for signal in signals { signal.signal() }
    }

    // MARK: Committing

    public func includes(_ store: any StateStore) -> Bool {
        store.identity.place is InMemoryRateLimiterBackend
    }

    public func includes(_ backend: any ResultBackend) -> Bool {
        backend is InMemoryResultBackend
    }

    public func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        let results = commits.map { commit in Result { try execute(commit) } }
        wakeConsumers()
        return results
    }

    public func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? {
        Result { try execute(commit) }
    }

    private func execute(_ commit: Commit) throws -> CommitResult {
        // Everything that can fail comes first; what follows can't.
        let sends = try commit.sends.few.mapped { try outgoing($0) }
        let successors = try commit.successors.few.mapped { try outgoing($0) }
        let results = commit.result?.backend as? InMemoryResultBackend
        if commit.result != nil, results == nil { throw BrokerError.commitUnanswered }
        var isReleased = true
        if let steps = commit.state {
            guard let backend = steps.store.identity.place as? InMemoryRateLimiterBackend else {
                throw BrokerError.commitUnanswered
            }
            if let end = commit.end, !state.withLock({ $0.holds(end.delivery) }) { throw notHeld(end.delivery) }
            switch try backend.applyNow(steps) {
            case .opened: return CommitResult(.opened)
            case .committed: break
            case .waiting, .alreadyReleased: isReleased = false
            }
        }
        let waiting = state.withLock { state -> [Signal]? in
            if let end = commit.end, !state.holds(end.delivery) { return nil }
            var waiting: [Signal] = []
            if let results, let result = commit.result {
                waiting = results.keep(result.bytes, for: result.key, ttl: result.ttl)
            }
            for message in sends { state.push(message) }
            if isReleased { for message in successors { state.push(message) } }
            guard let end = commit.end else { return waiting }
            state.finish(end.delivery, end.outcome)
            let joiners = state.finishedJoiners()
            return waiting.isEmpty ? joiners : waiting + joiners
        }
        guard let waiting else { throw commit.end.map { notHeld($0.delivery) } ?? BrokerError.commitUnanswered }
        wake(waiting)
        return CommitResult(isReleased ? .committed : .notReleased)
    }

    private func notHeld(_ delivery: Delivery) -> BrokerError {
        let message = try? delivery.message(decoder: JSONMessageEncoder())
        return BrokerError.deliveryNotHeld(queue: delivery.queueName, messageID: message?.messageID)
    }

    public func wakeConsumers() {
        wake(state.withLock { $0.announce() })
    }

    // MARK: Taking

    public func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
        let (place, id) = state.withLock { state in
            state.declare(queue)
            return (state.place(queue), state.makeConsumer())
        }
        return InMemoryConsumer(transport: self, place: place, id: id, handover: options.handover)
    }

    fileprivate func take(_ place: Int, limit: Int, consumer: Int, _ handover: Handover?) -> [Delivery] {
        state.withLock { state in
            let deliveries = state.take(place, limit: limit, consumer: consumer)
            if !deliveries.isEmpty { handover?.begin() }
            return deliveries
        }
    }

    fileprivate func take(_ place: Int, consumer: Int, _ handover: Handover?) -> Delivery? {
        state.withLock { state in
            handover?.isUnderWay ?? false ? nil : state.take(place, consumer: consumer)
        }
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

    fileprivate func isPaused(_ place: Int) -> Bool {
        state.withLock { $0.isPaused(place) }
    }

    /// Wakes another consumer, in the place of one that may have been woken for a message and doesn't take it.
    fileprivate func passOn(_ place: Int) {
        state.withLock { $0.wakeNext(place) }?.signal()
    }
}

extension InMemoryQueues {
    fileprivate mutating func push(_ message: InMemoryTransport.Outgoing) {
        push(message.payload, queueName: message.queueName, priority: message.priority)
    }
}

private final class InMemoryConsumer: TransportConsumer {
    private let transport: InMemoryTransport
    /// The queue's place in the transport.
    private let place: Int
    private let id: Int
    private let handover: Handover?
    private let signal = Signal()
    private let isClosed = Mutex(false)

    init(transport: InMemoryTransport, place: Int, id: Int, handover: Handover?) {
        self.handover = handover
        self.transport = transport
        self.place = place
        self.id = id
    }

    func next(limit: Int) async throws -> [Delivery] {
        while !Task.isCancelled, !isClosed.withLock({ $0 }) {
            let deliveries = transport.take(place, limit: max(1, limit), consumer: id, handover)
            if !deliveries.isEmpty { return deliveries }
            await transport.wait(place, signal)
        }
        transport.passOn(place)
        return []
    }

    func takeNow() -> Delivery? {
        transport.take(place, consumer: id, handover)
    }

    var isPaused: Bool { transport.isPaused(place) }

    func close() async {
        isClosed.withLock { $0 = true }
        signal.signal()
        transport.close(consumer: id)
    }
}
