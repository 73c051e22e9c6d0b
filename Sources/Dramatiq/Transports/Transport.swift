/// Carries messages: a server, or this process's memory.
///
/// A transport owns three queues for every declared one: `Q`, `Q.DQ` for delayed messages and `Q.XQ` for dead letters.
/// Whatever changes them is a ``Commit``, which the core builds and repeats, and the transport executes.
///
/// A transport that wraps another one passes on everything that it doesn't change; ``TransportWrapper`` does so.
public protocol Transport: Sendable {
    /// What it can do. Doesn't change.
    var traits: TransportTraits { get }

    /// Whether commits execute the steps at barriers of a store, too. Otherwise the core has the store take them, and the
    /// commits come without. Defaults to `false`.
    func includes(_ store: any StateStore) -> Bool

    /// Whether commits keep results in a backend, too: ``Commit/result``. Otherwise these are kept before the commit, and that
    /// comes without. Defaults to `false`, also for a ``TransportWrapper``: one that passes on all of a commit can say what
    /// its base says.
    func includes(_ backend: any ResultBackend) -> Bool

    /// What looks after its queues. Defaults to itself if it conforms to ``QueueOperations``, and to nothing otherwise.
    var operations: (any QueueOperations)? { get }

    /// Makes sure that a worker can do what it has to. A worker calls it before it takes anything. Does nothing unless
    /// implemented.
    ///
    /// - Parameter queues: those that it takes from.
    /// - Throws: what has to be mended before the worker can run: a password, a permission. A ``TransientError`` is waited
    ///   out.
    func verifyAccess(to queues: Set<String>) async throws

    /// Makes a queue and those that go with it. Doing so twice changes nothing.
    ///
    /// - Throws: why the transport can't have the queue. A ``TransientError`` is waited out by a worker.
    func declare(queue name: String) async throws

    /// Starts to take messages from a queue, which may be a delay queue.
    ///
    /// - Throws: why nothing can be taken from it. A worker tries again.
    func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer

    /// Executes commits, each as a whole or not at all where it can.
    ///
    /// They are independent of each other, but what they send to a queue is there in their order. There are at most as
    /// many as ``TransportTraits/maxBatch``. A commit may come that was handed over before, with
    /// ``Commit/isRepeated`` set: what it did already is not done again.
    ///
    /// - Returns: for each commit, in their order, what became of it; an error says that it is not known to hold, and the
    ///   same commit can be tried again. ``BrokerError/Code/deliveryNotHeld`` if it ends a delivery that is
    ///   somebody else's by now; nothing was done then.
    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>]

    /// As ``commit(_:)`` for one commit, without waiting for anything. Wakes no consumer for what it sends: who commits
    /// looks for messages itself, and then calls ``wakeConsumers()``.
    ///
    /// A call that may suspend costs as much as a commit in memory. Defaults to `nil`.
    ///
    /// - Returns: `nil` if it can't be done without waiting; nothing was done then.
    func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>?

    /// Wakes the consumers that wait for messages which ``commitNow(_:)`` has sent and nobody has taken yet.
    func wakeConsumers()
}

extension Transport {
    public var operations: (any QueueOperations)? { nil }
    public func includes(_ store: any StateStore) -> Bool { false }
    public func includes(_ backend: any ResultBackend) -> Bool { false }
    public func verifyAccess(to queues: Set<String>) async throws {}
    public func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? { nil }
    public func wakeConsumers() {}

    /// ``commit(_:)-([Commit])`` for one commit.
    ///
    /// - Throws: why it is not known to hold.
    @discardableResult
    public func commit(_ commit: Commit) async throws -> CommitResult {
        guard let result = await self.commit([commit]).first else { throw BrokerError.commitUnanswered }
        return try result.get()
    }
}

extension Transport where Self: QueueOperations {
    public var operations: (any QueueOperations)? { self }
}

/// How a consumer is going to be used.
public struct ConsumerOptions: Sendable {
    /// How many messages the worker holds at most.
    public var prefetch: Int
    /// Reads messages, for a transport that has to know when a delayed one is due.
    public var encoder: any MessageEncoder
    /// For a transport that reads messages and counts crashes (``Delivery/crashes``): one that has this many is to be
    /// delivered unread. `nil` for any number. Defaults to `nil`.
    public var maxCrashes: Int?
    /// For such a transport: the turn that it takes to read a message that has crashes. If it is another one's, which may be
    /// for long, it goes on with others.
    package var suspectTurn = SuspectTurn()
    /// For an immediate transport: what tells whether ``TransportConsumer/takeNow()`` would overtake what
    /// ``TransportConsumer/next(limit:)`` has given, and gives nothing then. `nil` if nobody calls both at once.
    package var handover: Handover?

    public init(prefetch: Int, encoder: any MessageEncoder = JSONMessageEncoder(), maxCrashes: Int? = nil) {
        self.prefetch = prefetch
        self.encoder = encoder
        self.maxCrashes = maxCrashes
    }
}

/// Takes messages from one queue, for one task at a time.
public protocol TransportConsumer: AnyObject, Sendable {
    /// The consumer that does the work, whatever wraps it: what a transport recognises its own ones by. Defaults to
    /// itself.
    var innermost: any TransportConsumer { get }

    /// Waits until there is a message, then takes up to `limit` of them; one if the limit is less than that.
    ///
    /// - Returns: an empty array when the consumer was closed or the task cancelled.
    /// - Throws: why nothing could be taken. A worker logs it and asks again.
    func next(limit: Int) async throws -> [Delivery]

    /// Takes a message if there is one and that needs no waiting; see ``TransportTraits/isImmediate``. Defaults to `nil`.
    func takeNow() -> Delivery?

    /// Notes whether a message that was redelivered is read or processed from now on, so that it can be said how often that
    /// took its worker with it: ``Delivery/crashes``. It isn't any more once its delivery ends. Only asked for what is
    /// ``Delivery/isRedelivered``, and if ``TransportTraits/countsCrashes``. Defaults to asking ``innermost``, which by
    /// default notes nothing.
    ///
    /// - Throws: ``BrokerError/Code/deliveryNotHeld``, if that shows.
    func note(_ delivery: Delivery, isUnderWay: Bool) async throws

    /// Whether its queue is paused, as far as is known here: a worker then gives back what it has of it and has not begun.
    /// Asked several times a second, and for each batch. Defaults to asking ``innermost``, which by default never is.
    var isPaused: Bool { get }

    /// Stops taking messages. Deliveries that are not ended go back to their queue.
    func close() async

    /// A worker's shutdown has begun: what it waits for on behalf of this consumer should end by an instant, be it with
    /// a ``TransientError``. A transport whose server may be gone then waits no longer than it takes to be sure.
    func finish(by deadline: ContinuousClock.Instant)
}

/// A consumer that finds out when what it has delivered becomes another worker's.
package protocol LossAware: Sendable {
    /// A delivery is about to be processed.
    ///
    /// - Returns: `false` if it is another worker's by now. It has ended then.
    func begin(_ delivery: Delivery) -> Bool
}

extension TransportConsumer {
    public var innermost: any TransportConsumer { self }
    public func takeNow() -> Delivery? { nil }
    public func note(_ delivery: Delivery, isUnderWay: Bool) async throws {
        let innermost = innermost
        if innermost !== self { try await innermost.note(delivery, isUnderWay: isUnderWay) }
    }
    public var isPaused: Bool {
        let innermost = innermost
        return innermost !== self && innermost.isPaused
    }
    public func finish(by deadline: ContinuousClock.Instant) {}
}

/// A transport that does its work by another one. Conform a type and implement what it changes; all the rest is passed on, but
/// for ``Transport/includes(_:)-(ResultBackend)``.
public protocol TransportWrapper: Transport {
    var base: any Transport { get }
}

extension TransportWrapper where Self: QueueOperations {
    public var operations: (any QueueOperations)? { self }
}

extension TransportWrapper {
    public var traits: TransportTraits { base.traits }
    public var operations: (any QueueOperations)? { base.operations }
    public func includes(_ store: any StateStore) -> Bool { base.includes(store) }
    public func verifyAccess(to queues: Set<String>) async throws { try await base.verifyAccess(to: queues) }
    public func declare(queue name: String) async throws { try await base.declare(queue: name) }
    public func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
        try await base.consumer(of: queue, options)
    }
    public func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] { await base.commit(commits) }
    public func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? { base.commitNow(commit) }
    public func wakeConsumers() { base.wakeConsumers() }
}
