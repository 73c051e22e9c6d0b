public import Dramatiq
public import Logging

/// Carries messages over a Redis server, in the layout of Python's dramatiq: both can share queues.
///
///     let redis = try RedisClient(url: "redis://127.0.0.1:6379")
///     let broker = Broker(transport: RedisTransport(redis), …)
///
/// A commit is one script: acknowledgement, retries, next steps, and the barriers of workflows if their
/// ``RedisRateLimiterBackend`` is on the same client. One whose answer is lost is repeated and then recognised, so nothing
/// is done twice.
///
/// A worker owns what it has taken for as long as its heartbeat is heard, which does not depend on what its actors do.
/// What dead workers had, those of Python included, goes back to its queue. A worker is dead once its heartbeat has not
/// changed for ``Configuration/heartbeatTimeout`` as seen by another one, so it doesn't matter what time it is for the
/// server, nor whether that is set forward or back meanwhile. Python's workers compare the heartbeats of all with the time
/// of their own machines; if that is ahead of the server's and of the worker's by more than the timeout, they give away
/// what live workers have. A worker that has lost messages in that way doesn't begin them.
///
/// What the server keeps for a time — barriers, dead letters, rate limits — ends sooner when its clock is set forward.
/// A barrier that is gone is an error and never a complete one.
///
/// The keys of one namespace are used together, so a Redis Cluster must keep them in one slot: the namespace has a tag,
/// as in `{dramatiq}`. The ids of barriers then begin with that tag, so that they lie there, too.
public final class RedisTransport: Transport {
    /// How a transport behaves. The defaults are dramatiq's. A time that can't be is the nearest that can: none is longer
    /// than a century.
    public struct Configuration: Sendable, Hashable {
        /// What the keys begin with. Defaults to `dramatiq`.
        public var namespace: String
        /// How long a worker may be silent before what it holds goes to others. All workers of a namespace should
        /// agree. A worker is heard four times as often. At least 100 ms. Defaults to a minute.
        public var heartbeatTimeout: Duration
        /// How long dead letters are kept. At least 1 ms. Defaults to seven days.
        public var deadLetterTTL: Duration
        /// How many delayed messages of one queue are held until they are due: as ids and times, and the messages
        /// themselves up to 8 MiB. If more are delayed, those that are due first are held, and the others are looked at
        /// in turn. Defaults to 100 000.
        public var delayedLimit: Int
        /// How many bytes of the messages themselves are held.
        var delayedMemory = 8 << 20
        /// For how long sending is repeated while there is no connection. Defaults to 5 s.
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

        /// For how many milliseconds it is known at least of a message that it came back to its queue.
        var redeliveryTTL: String { String(deadLetterTTL.redisMilliseconds) }

        /// The same, also after something was set to what can't be.
        fileprivate var bounded: Configuration {
            var bounded = Configuration(
                namespace: namespace, heartbeatTimeout: heartbeatTimeout, deadLetterTTL: deadLetterTTL,
                delayedLimit: delayedLimit, sendPatience: sendPatience)
            bounded.delayedMemory = delayedMemory
            return bounded
        }
    }

    /// The option that carries a message's id in Redis: another one for every enqueue.
    static let idOption = "redis_message_id"
    /// For how long it is remembered what became of a commit whose answer may be lost, in milliseconds: also if the
    /// server's clock is set forward by an hour.
    static let commitRecordTTL = 7_200_000
    /// How many commits go together: while the server executes some, the next are made.
    private static let maxBatch = 500
    /// Bounds on what one step sends.
    private static let maxStepCount = 5000
    private static let maxStepSize = 4 << 20

    public let configuration: Configuration
    /// The keys of barriers begin with the namespace's tag, such as `{dramatiq}`, if it has one. Of delayed messages, a
    /// worker holds a thousand that are due: those that are not are held by the consumer, most without their bytes.
    /// Redelivered messages are known, except for what Python's workers returned.
    public let traits: TransportTraits
    let executor: any RedisExecutor
    let keys: RedisKeys
    let logger: Logger
    /// What Redis knows this transport by.
    let id = UniqueID.make()
    let commits: CommitScripts
    let ledger = TakenLedger()
    private let presence: WorkerPresence

    /// - Parameters:
    ///   - executor: the client, usually a `RedisClient`.
    ///   - configuration: the namespace, and how long things take. Defaults to dramatiq's.
    ///   - logger: gets what has no caller to be thrown to. Defaults to one with the label `dramatiq.redis`.
    public init(
        _ executor: any RedisExecutor,
        configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "dramatiq.redis")
    ) {
        let logger = logger.printable
        self.executor = executor
        let configuration = configuration.bounded
        self.configuration = configuration
        self.logger = logger
        traits = TransportTraits(
            maxBatch: Self.maxBatch, maxBatchesUnderWay: 2, sendPatience: configuration.sendPatience,
            deadLetterTTL: configuration.deadLetterTTL, barrierKeyPrefix: KeySlot.tag(of: configuration.namespace),
            namespace: configuration.namespace,
            knowsRedelivery: true, countsCrashes: true, commitsIgnoreCancellation: true)
        keys = RedisKeys(namespace: configuration.namespace)
        commits = CommitScripts(executor: executor, keys: keys, transportID: id)
        presence = WorkerPresence(
            executor: executor, keys: keys, configuration: configuration, transportID: id, commits: commits,
            logger: logger)
    }

    /// A queue is there as soon as something is in it, so this does nothing.
    ///
    /// - Throws: nothing.
    public func declare(queue name: String) async throws {}

    // MARK: Committing

    /// The barriers of a ``RedisRateLimiterBackend`` on the same client are part of a commit's script.
    public func includes(_ store: any StateStore) -> Bool {
        store.identity == StoreIdentity(executor)
    }

    /// The results of a ``RedisResultBackend`` on the same client are part of a commit's script if their keys may be: see there.
    public func includes(_ backend: any ResultBackend) -> Bool {
        guard let backend = backend as? RedisResultBackend else { return false }
        return backend.executor === executor && backend.isBeside(namespaceWithTag: traits.barrierKeyPrefix)
    }

    /// Executes commits, in as few scripts as they need. Each holds as a whole or not at all.
    ///
    /// A workflow's start is one step, however large. Only many messages that are sent without anything else go in steps of
    /// up to 5000 messages or 4 MiB, so that the server is never kept for long; an error then means that those of later
    /// steps were not sent. Repeated, each step that holds is recognised.
    ///
    /// - Returns: of what failed, `BrokerError.Code.deliveryNotHeld` if the message is no longer this worker's, because it was
    ///   silent for too long: somebody else has it, and nothing was done. `BarrierStateLost`. `RedisError`; whether the
    ///   commit holds is not known if it `mayHaveTakenEffect`.
    public func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        guard commits.contains(where: Self.goesInSteps) else { return await commitTogether(commits) }
        // By what it is, not by what else there is: repeated, it comes in other company.
        var others = await commitTogether(commits.filter { !Self.goesInSteps($0) })[...]
        var results: [Result<CommitResult, any Error>] = []
        for commit in commits {
            let result = Self.goesInSteps(commit) ? await sendInSteps(commit) : others.popFirst()
            results.append(result ?? .failure(BrokerError.commitUnanswered))
        }
        return results
    }

    private func commitTogether(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        var batch = CommitBatch(commits, transport: self)
        return batch.conclude(await self.commits.run(batch.steps))
    }

    /// Whether it sends many messages and nothing else.
    private static func goesInSteps(_ commit: Commit) -> Bool {
        commit.sends.count > maxStepCount / 4 && commit.successors.isEmpty && commit.end == nil
            && commit.state == nil
    }

    /// Sends many messages. The same ones always come to the same steps.
    private func sendInSteps(_ commit: Commit) async -> Result<CommitResult, any Error> {
        var rest = commit.sends[...]
        var tags: [CommitTag] = []
        do {
            while !rest.isEmpty {
                let tag = CommitTag(commit: commit.id.value, step: tags.count + 1)
                var step = RedisCommit(tag: tag, isRepeated: commit.isRepeated)
                step.enqueues = try QueuedMessages.encoded(
                    &rest, maxCount: Self.maxStepCount, maxSize: Self.maxStepSize)
                try await send(step)
                tags.append(tag)
            }
            if !commit.isRepeated { commits.forget(tags) }
            return .success(CommitResult(.committed))
        } catch {
            return .failure(error)
        }
    }

    private func send(_ step: RedisCommit) async throws {
        defer { ledger.wakeConsumers(of: step) }
        let results = await commits.run([.commit(place: 0, step)])
        switch try results[0].result.get() {
        case .committed: return
        case .failed(let text): throw RedisError(.server, text)
        default: throw RedisError(.unexpectedReply, "Nothing was settled, only sent")
        }
    }

    // MARK: Taking

    public func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
        let source = presence.enter(queue) { workerID in
            RedisMessageSource(
                executor: executor, keys: keys, workerID: workerID, queueName: queue,
                redeliveryTTL: configuration.redeliveryTTL, ledger: ledger, commits: commits,
                logger: logger)
        }
        guard QueueName.isDelayed(queue) else { return RedisConsumer(source: source, presence: presence) }
        return RedisDelayedConsumer(
            source: source, decoder: options.encoder, maxCrashes: options.maxCrashes, turn: options.suspectTurn,
            limit: configuration.delayedLimit, memory: configuration.delayedMemory, presence: presence)
    }
}

extension RedisError {
    /// Whether there is no server to talk to at present, as opposed to one that is there and is full.
    public var isOutage: Bool { isTransient && !isServerError("OOM") }
}
