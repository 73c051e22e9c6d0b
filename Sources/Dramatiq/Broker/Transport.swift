/// Carries messages: a server, or this process's memory.
///
/// A transport owns three queues for every declared one: `Q`, `Q.DQ` for delayed messages and `Q.XQ` for dead letters.
public protocol Transport: Sendable {
    /// How many messages of a delay queue a worker may hold until they are due.
    var delayedPrefetch: Int { get }

    /// For how long a dead letter can be requeued. What its workflow needs is kept for as long. Seven days, as in
    /// dramatiq, unless implemented.
    var deadLetterRetention: Duration { get }

    /// What the keys of barriers begin with, so that they lie where this transport can settle them with its messages;
    /// empty if that doesn't matter.
    var barrierKeyPrefix: String { get }

    /// Makes sure that a worker can do what it has to. A worker calls it before it takes anything.
    ///
    /// - Parameter queues: those that it takes from.
    /// - Throws: what has to be mended before the worker can run: a password, a permission. A ``TransientError`` is waited
    ///   out.
    func verifyAccess(to queues: Set<String>) async throws

    /// Makes a queue and those that go with it. Doing so twice changes nothing.
    func declare(queue name: String) async throws

    /// Sends messages and creates barriers, all or none where the transport can.
    func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws

    /// Starts to take messages from a queue, which may be a delay queue.
    func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer

    /// Starts to take messages from a queue, for a worker that decodes them with an encoder. A transport that can hold
    /// delayed messages until they are due needs it to know when that is; others don't implement this.
    func consumer(
        of queue: String,
        prefetch: Int,
        encoder: any MessageEncoder
    ) async throws -> any TransportConsumer

    /// Ends a delivery with everything that follows from it; see ``SettlementResult`` for what may hold afterwards.
    ///
    /// After an error nothing is known to hold: the same settlement can be tried again.
    func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult
}

extension Transport {
    /// A thousand, as in dramatiq.
    public var delayedPrefetch: Int { 1000 }
    public var deadLetterRetention: Duration { .seconds(7 * 86_400) }

    public var barrierKeyPrefix: String { "" }

    public func verifyAccess(to queues: Set<String>) async throws {}

    public func consumer(
        of queue: String,
        prefetch: Int,
        encoder: any MessageEncoder
    ) async throws -> any TransportConsumer {
        try await consumer(of: queue, prefetch: prefetch)
    }
}

/// Takes messages from one queue, for one task at a time.
public protocol TransportConsumer: Sendable {
    /// Waits until there is a message, then takes up to `limit` of them; one if the limit is less than that.
    ///
    /// - Returns: an empty array when the consumer was closed or the task cancelled.
    func next(limit: Int) async throws -> [Delivery]

    /// Stops taking messages. Deliveries that are not settled go back to their queue.
    func close() async

    /// A worker's shutdown has begun: what it waits for on behalf of this consumer should end by an instant, be it with
    /// a ``TransientError``. A transport whose server may be gone then waits no longer than it takes to be sure.
    func finish(by deadline: ContinuousClock.Instant)
}

extension TransportConsumer {
    public func finish(by deadline: ContinuousClock.Instant) {}
}
