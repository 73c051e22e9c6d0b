public import Dramatiq
public import Logging

/// Carries messages over a Redis server, in the layout of Python's dramatiq: both can share queues.
///
///     let redis = try RedisClient(url: "redis://127.0.0.1:6379")
///     let broker = Broker(transport: RedisTransport(redis), …)
///
/// A message is settled in one script: acknowledgement, retries, next steps, and the barriers of workflows if their
/// ``RedisRateLimiterBackend`` is on the same client. A commit whose answer is lost is repeated and then recognised,
/// so nothing is done twice. With barriers elsewhere there is no one step: the arrival comes first, then the new
/// barriers, then the messages with the acknowledgement, and the release at last.
///
/// A worker owns what it has taken for as long as its heartbeat is heard, which does not depend on what its actors do.
/// What dead workers had, those of Python included, goes back to its queue. The clocks of Python's machines and of the
/// server may differ by less than ``Configuration/heartbeatTimeout``.
///
/// The keys of one namespace are used together, so a Redis Cluster must keep them in one slot: the namespace has a tag,
/// as in `{dramatiq}`. The ids of barriers then begin with that tag, so that they lie there, too.
public final class RedisTransport: BatchingTransport {
    /// How a transport behaves. The defaults are dramatiq's. A time that can't be is the nearest that can: none is longer
    /// than a century.
    public struct Configuration: Sendable, Hashable {
        /// What the keys begin with.
        public var namespace: String
        /// How long a worker may be silent before what it holds goes to others. All workers of a namespace should
        /// agree. A worker is heard four times as often. At least 100 ms.
        public var heartbeatTimeout: Duration
        /// How long dead letters are kept. At least 1 ms.
        public var deadLetterTTL: Duration
        /// How many delayed messages of one queue are held until they are due, as ids only. If more are delayed, those
        /// that are due first are held, and the others are looked at in turn.
        public var delayedLimit: Int
        /// For how long sending is repeated while there is no connection.
        public var sendPatience: Duration

        public init(
            namespace: String = "dramatiq",
            heartbeatTimeout: Duration = .seconds(60),
            deadLetterTTL: Duration = .seconds(7 * 86_400),
            delayedLimit: Int = 100_000,
            sendPatience: Duration = .seconds(5)
        ) {
            self.namespace = namespace
            self.heartbeatTimeout = heartbeatTimeout.boundedForRedis(atLeast: .milliseconds(100))
            self.deadLetterTTL = deadLetterTTL.boundedForRedis(atLeast: .milliseconds(1))
            self.delayedLimit = max(1, delayedLimit)
            self.sendPatience = sendPatience.boundedForRedis()
        }

        /// The same, also after something was set to what can't be.
        fileprivate var bounded: Configuration {
            Configuration(
                namespace: namespace, heartbeatTimeout: heartbeatTimeout, deadLetterTTL: deadLetterTTL,
                delayedLimit: delayedLimit, sendPatience: sendPatience)
        }
    }

    /// The option that carries a message's id in Redis: another one for every enqueue.
    static let idOption = MessageOptions.redisMessageID
    /// For how long it is remembered what became of a commit whose answer may be lost, in milliseconds.
    static let commitRecordTTL = 600_000
    /// Bounds on what one step sends.
    private static let maximumStepCount = 5000
    private static let maximumStepSize = 4 << 20

    public let configuration: Configuration
    /// The namespace's tag, such as `{dramatiq}`; empty if it has none.
    public let barrierKeyPrefix: String
    let executor: any RedisExecutor
    let keys: RedisKeys
    let logger: Logger
    /// What Redis knows this transport by.
    let id = UniqueID.make()
    let commits: CommitQueue
    private let ledger = TakenLedger()
    private let presence: WorkerPresence

    /// - Parameters:
    ///   - executor: the client, usually a `RedisClient`.
    ///   - logger: gets what has no caller to be thrown to.
    public init(
        _ executor: any RedisExecutor,
        configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "dramatiq.redis")
    ) {
        self.executor = executor
        let configuration = configuration.bounded
        self.configuration = configuration
        self.logger = logger
        barrierKeyPrefix = KeySlot.tag(of: configuration.namespace)
        keys = RedisKeys(namespace: configuration.namespace)
        commits = CommitQueue(executor: executor, keys: keys, transportID: id, ledger: ledger)
        presence = WorkerPresence(
            executor: executor, keys: keys, configuration: configuration, transportID: id, commits: commits,
            logger: logger)
    }

    /// A queue is there as soon as something is in it, so this does nothing.
    public func declare(queue name: String) async throws {}

    // MARK: Sending

    /// Sends messages and creates barriers. Repeated while there is no connection, for as long as
    /// ``Configuration/sendPatience`` allows.
    ///
    /// A workflow's start is one step, however large: all or none. Many messages without barriers are sent in steps of
    /// up to 5000 messages or 4 MiB, so that the server is never kept for long; an error then means that those of
    /// later steps were not sent.
    ///
    /// - Throws: `RedisError`; whether the step that failed was done is not known if it `mayHaveTakenEffect`.
    public func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws {
        if let barriers {
            guard shares(barriers) else {
                _ = try await barriers.backend.commit(barriers)
                return try await send(envelopes, barriers: nil)
            }
            var commit = RedisCommit(tag: ledger.nextTag())
            commit.enqueues = try QueuedMessages.encoded(envelopes)
            commit.barriers = barriers
            return try await send(commit)
        }
        var rest = envelopes[...]
        while !rest.isEmpty {
            var commit = RedisCommit(tag: ledger.nextTag())
            commit.enqueues = try QueuedMessages.encoded(
                &rest, maximumCount: Self.maximumStepCount, maximumSize: Self.maximumStepSize)
            try await send(commit)
        }
    }

    private func send(_ new: RedisCommit) async throws {
        var commit = new
        let deadline = ContinuousClock.now + configuration.sendPatience
        var pause = Duration.milliseconds(20)
        while true {
            do {
                switch try await self.commit(commit) {
                case .committed, .notReleased: return
                case .barrierLost(let key): throw BarrierStateLost(key: key)
                case .failed(let text): throw RedisError(.server, text)
                case .relayed, .opened, .notHeld: throw RedisError(.unexpectedReply, "Nothing was settled, only sent")
                }
            } catch let error as RedisError {
                guard error.isOutage, ContinuousClock.now + pause < deadline else { throw error }
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
            commit.isRepeated = true
        }
    }

    /// Does a commit, and tells the consumers of the queues that get something.
    private func commit(_ commit: RedisCommit) async throws -> RedisCommit.Result {
        do {
            let result = try await commits.commit(commit)
            if result != .relayed || commit.messageCount > 1 { ledger.wakeConsumers(of: commit) }
            return result
        } catch {
            ledger.wakeConsumers(of: commit)
            throw error
        }
    }

    /// Whether barriers are kept where the messages are.
    private func shares(_ barriers: BarrierCommit) -> Bool {
        guard let backend = barriers.backend as? RedisRateLimiterBackend else { return false }
        return backend.executor === executor
    }

    // MARK: Settling

    /// Settles a delivery in one script. The barriers are part of it if their backend is a
    /// ``RedisRateLimiterBackend`` on the same client; otherwise see ``RedisTransport`` for the order of the steps.
    ///
    /// - Throws: `BrokerError.deliveryNotHeld` if the message is no longer this worker's, because it was silent for too
    ///   long: somebody else has it, and nothing was done. `BarrierStateLost`. `RedisError`.
    public func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult {
        let (message, wasTried) = try begin(delivery)
        if settlement.isPlainAcknowledgement {
            // If the answer to an acknowledgement was lost, this is the second.
            return try ended(
                delivery, message, try await commits.acknowledge(message), mayBeDone: wasTried)
        }
        var commit = commit(message, settlement, isRepeated: wasTried)
        commit.enqueues = try QueuedMessages.encoded(settlement.enqueues)
        commit.successors = try QueuedMessages.encoded(settlement.successors)
        if let barriers = settlement.barriers {
            guard shares(barriers) else {
                return try await settle(delivery, message, commit, elsewhere: barriers)
            }
            if let arrival = settlement.plainArrival, !wasTried {
                return try ended(delivery, message, try await commits.arrive(message, arrival), isFirst: true)
            }
            commit.barriers = barriers
        }
        return try ended(delivery, message, try await self.commit(commit), isFirst: !wasTried)
    }

    package func acknowledgeSoon(
        _ delivery: Delivery,
        token: any AnyObject & Sendable,
        _ observer: any AcknowledgementObserver
    ) {
        guard let message = delivery.handle as? TakenMessage, message.begin() != nil else {
            return observer.didNotAcknowledge([token])
        }
        commits.acknowledge(message, token: token, observer)
    }

    package func canSettleSoon(_ settlement: Settlement) -> Bool {
        settlement.plainArrival != nil && settlement.barriers.map(shares) ?? false
    }

    package func settleSoon(_ delivery: Delivery, _ settlement: Settlement, _ observer: any SettlementObserver) {
        guard let arrival = settlement.plainArrival, let message = delivery.handle as? TakenMessage,
            message.begin() == false
        else { return observer.didSettle(.failure(notHeld(delivery))) }
        commits.arrive(message, arrival) { result in
            observer.didSettle(Result { try self.ended(delivery, message, result.get(), isFirst: true) })
        }
    }

    package func settle(
        _ delivery: Delivery,
        _ settlement: Settlement,
        relayingTo consumer: any TransportConsumer
    ) async throws -> (result: SettlementResult, relayed: Delivery?) {
        guard let source = (consumer as? RedisConsumer)?.source, settlement.barriers.map(shares) ?? true,
            settlement.successors.first?.queueName == source.queueName
        else { return (try await settle(delivery, settlement), nil) }
        let (message, wasTried) = try begin(delivery)
        var commit = commit(message, settlement, isRepeated: wasTried)
        commit.enqueues = try QueuedMessages.encoded(settlement.enqueues)
        commit.barriers = settlement.barriers
        let (successors, first) = try QueuedMessages.encodedKeepingFirst(settlement.successors)
        commit.successors = successors
        guard !wasTried, let first, source.beginRelay(first.id) else {
            return (try ended(delivery, message, try await self.commit(commit), isFirst: !wasTried), nil)
        }
        commit.relayWorkerID = source.workerID
        let result: RedisCommit.Result
        do {
            result = try await self.commit(commit)
        } catch {
            source.giveUpRelay(first.id)
            throw error
        }
        if case .failed = result {
            source.giveUpRelay(first.id)
        } else if result == .relayed {
            return (try ended(delivery, message, result), source.endRelay(first.id, taking: .envelope(first.envelope)))
        } else {
            source.stopHolding([first.id])
        }
        return (try ended(delivery, message, result, isFirst: true), nil)
    }

    /// The message of a delivery that is about to be settled, and whether that was tried before.
    private func begin(_ delivery: Delivery) throws -> (message: TakenMessage, wasTried: Bool) {
        guard let message = delivery.handle as? TakenMessage, let wasTried = message.begin() else {
            throw notHeld(delivery)
        }
        return (message, wasTried)
    }

    /// The commit of a settlement, without its messages and barriers.
    private func commit(_ message: TakenMessage, _ settlement: Settlement, isRepeated: Bool) -> RedisCommit {
        var commit = RedisCommit(tag: message.tag, isRepeated: isRepeated)
        commit.settled = (message, settlement.outcome)
        commit.deadLetterTTL = configuration.deadLetterTTL.redisMilliseconds
        return commit
    }

    /// Draws the conclusions from what became of a delivery's settlement.
    ///
    /// - Parameters:
    ///   - isFirst: whether nothing was tried before that may still be done.
    ///   - mayBeDone: whether it may have been done before, so that the message is gone.
    private func ended(
        _ delivery: Delivery,
        _ message: TakenMessage,
        _ result: RedisCommit.Result,
        isFirst: Bool = false,
        mayBeDone: Bool = false
    ) throws -> SettlementResult {
        switch result {
        case .opened:
            if isFirst { message.reset() }
            return .barrierOpened
        case .committed, .relayed, .notReleased:
            ledger.end([message])
            return result == .notReleased ? .notReleased : .committed
        case .notHeld:
            ledger.end([message])
            if mayBeDone { return .committed }
            throw notHeld(delivery)
        case .barrierLost(let key):
            throw BarrierStateLost(key: key)
        case .failed(let text):
            throw RedisError(.server, text)
        }
    }

    /// Settles a delivery whose barriers are kept somewhere else.
    private func settle(
        _ delivery: Delivery,
        _ message: TakenMessage,
        _ commit: RedisCommit,
        elsewhere barriers: BarrierCommit
    ) async throws -> SettlementResult {
        let result = try await SplitSettlement(barriers).settle { sendsSuccessors in
            var commit = commit
            if !sendsSuccessors { commit.successors = [] }
            return try ended(delivery, message, try await self.commit(commit))
        } releaseDidFail: { error in
            logger.warning("A barrier's release can't be recorded", metadata: ["error": "\(error)"])
        }
        if result == .barrierOpened, !commit.isRepeated { message.reset() }
        return result
    }

    private func notHeld(_ delivery: Delivery) -> BrokerError {
        let message = try? delivery.message(decoder: JSONMessageEncoder())
        return BrokerError.deliveryNotHeld(queue: delivery.queueName, messageID: message?.messageID)
    }

    // MARK: Taking

    /// A thousand that are due: those that are not are held by the consumer, without their bytes.
    public var delayedPrefetch: Int { 1000 }

    /// ``Configuration/deadLetterTTL``.
    public var deadLetterRetention: Duration { configuration.deadLetterTTL }

    public func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer {
        try await consumer(of: queue, prefetch: prefetch, encoder: JSONMessageEncoder())
    }

    public func consumer(
        of queue: String,
        prefetch: Int,
        encoder: any MessageEncoder
    ) async throws -> any TransportConsumer {
        let source = presence.enter(queue) { workerID in
            RedisMessageSource(
                executor: executor, keys: keys, workerID: workerID, queueName: queue, ledger: ledger,
                logger: logger)
        }
        guard QueueName.delayed(queue) == queue else { return RedisConsumer(source: source, presence: presence) }
        return RedisDelayedConsumer(
            source: source, decoder: encoder, limit: configuration.delayedLimit, presence: presence)
    }

    /// A text that may come from anywhere, bounded.
    static func shortened(_ text: String) -> String {
        text.utf8.count <= 8192 ? text : String(text.prefix(2000)) + "…"
    }
}

extension RedisError {
    /// Whether there is no server to talk to at present, as opposed to one that is there and is full.
    var isOutage: Bool { isTransient && !isServerError("OOM") }
}
