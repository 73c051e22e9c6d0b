import Dramatiq
import Logging
import Synchronization

/// Shows that this process's workers are alive, for as long as they have consumers, and looks for those that are not.
///
/// Both run apart from the cooperative pool, so that a worker is heard whatever its actors do.
final class WorkerPresence: Sendable {
    private struct State {
        var sources: [RedisMessageSource] = []
        var task: Task<Void, Never>?
        /// Since when every heartbeat worked, and when the last one did.
        var steadySince: ContinuousClock.Instant?
        var lastBeat: ContinuousClock.Instant?
        /// When a shutdown's time is over.
        var deadline: ContinuousClock.Instant?
    }

    /// How long a server that may be gone is waited for at least when a shutdown's time is over.
    private static let patience = Duration.seconds(3)

    private let executor: any RedisExecutor
    private let keys: RedisKeys
    private let configuration: RedisTransport.Configuration
    private let transportID: String
    private let commits: CommitScripts
    private let logger: Logger
    private let shutdownBegan = Signal()
    private let taskExecutor = EventLoopTaskExecutor()
    private let state = Mutex(State())

    init(
        executor: any RedisExecutor,
        keys: RedisKeys,
        configuration: RedisTransport.Configuration,
        transportID: String,
        commits: CommitScripts,
        logger: Logger
    ) {
        self.executor = executor
        self.keys = keys
        self.configuration = configuration
        self.transportID = transportID
        self.commits = commits
        self.logger = logger
    }

    /// Adds a consumer of a queue. Consumers of the same queue are different workers to Redis.
    func enter(_ queue: String, _ make: (_ workerID: String) -> RedisMessageSource) -> RedisMessageSource {
        state.withLock { state in
            var number = 1
            var workerID = transportID
            while state.sources.contains(where: { $0.queueName == queue && $0.workerID == workerID }) {
                number += 1
                workerID = "\(transportID)-\(number)"
            }
            let source = make(workerID)
            state.sources.append(source)
            state.deadline = nil
            // It ends when the last source leaves.
            if state.task == nil { state.task = Task(executorPreference: taskExecutor) { await self.run() } }
            return source
        }
    }

    /// Removes a consumer and returns what it has. If the server can't be reached, others find that once this
    /// worker is silent.
    func leave(_ source: RedisMessageSource) async {
        // Cut short, it would leave to others what the consumer still has.
        try? await uncancelled { await self.returnAll(of: source) }
    }

    private func returnAll(of source: RedisMessageSource) async {
        do {
            try await withinShutdown { try await source.returnAll() }
        } catch {
            logger.log(
                level: error.redisLogLevel,
                "Messages can't be returned to their queue now; they are once this worker is taken for dead",
                metadata: ["queue_name": "\(source.queueName)", "error": "\(error)"])
        }
        let (isLast, task) = state.withLock { state in
            state.sources.removeAll { $0 === source }
            let isLast = !state.sources.contains { $0.workerID == source.workerID }
            guard state.sources.isEmpty else { return (isLast, nil as Task<Void, Never>?) }
            defer { state.task = nil }
            return (isLast, state.task)
        }
        task?.cancel()
        await task?.value
        if isLast {
            try? await withinShutdown { [executor, keys] in
                _ = try await executor.evaluate(
                    QueueScripts.forgetWorker, keys: [keys.namespace], source.workerID, "", source.taken)
            }
        }
    }

    // MARK: Ending in time

    /// A shutdown has begun whose time is over at an instant. What the server has not answered by then fails.
    func finish(by deadline: ContinuousClock.Instant) {
        state.withLock { $0.deadline = min(deadline, $0.deadline ?? deadline) }
        shutdownBegan.signal()
    }

    /// Does something with the server that takes no longer than a shutdown has.
    private func withinShutdown(_ step: @escaping @Sendable () async throws -> Void) async throws {
        guard let deadline = state.withLock(\.deadline) else { return try await step() }
        let now = ContinuousClock.now
        if now >= deadline, commits.isSilent { throw Self.silence }
        let end = max(deadline, now + Self.patience)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await step() }
            group.addTask { [commits, taskExecutor] in
                await taskExecutor.sleep(for: end - now)
                // The step is over, or else it is too late.
                try Task.checkCancellation()
                commits.noteSilence()
                throw Self.silence
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static let silence = RedisError(.commandTimeout, "The server does not answer, and the time for it is over")

    /// Once a shutdown's time is over, gives up what the server doesn't answer.
    private func endInTime() async {
        await shutdownBegan.wait()
        while !Task.isCancelled {
            if let deadline = state.withLock(\.deadline) { commits.giveUpSilent(deadline, Self.patience) }
            await taskExecutor.sleep(for: .milliseconds(50))
        }
    }

    private func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.beat() }
            group.addTask { await self.reap() }
            group.addTask { await self.endInTime() }
            group.addTask { await self.watchPauses() }
        }
    }

    // MARK: Being heard

    private func beat() async {
        // Well below the timeout, so that one or two may get lost.
        let interval = configuration.heartbeatTimeout / 4
        while !Task.isCancelled {
            let sources = state.withLock(\.sources)
            do {
                let counts = try await executor.execute(heartbeat(sources)).array()
                noteBeat()
                for (source, count) in zip(sources, counts) {
                    let count = try count.integer()
                    source.compare(count: count)
                    try await source.findLost(count: count)
                }
            } catch {
                state.withLock { $0.steadySince = nil }
                if !Task.isCancelled {
                    logger.log(level: error.redisLogLevel, "A heartbeat failed", metadata: ["error": "\(error)"])
                }
            }
            await taskExecutor.sleep(for: interval)
        }
    }

    private func heartbeat(_ sources: [RedisMessageSource]) -> RedisCommand {
        let workers = Set(sources.map(\.workerID))
        var command = RedisCommand(
            QueueScripts.heartbeat, keys: [keys.namespace], transportID, RedisTransport.commitRecordTTL,
            SystemClock.milliseconds(), workers.count)
        for worker in workers { command.append(worker) }
        for source in sources { command.append(source.taken) }
        return command
    }

    private func noteBeat() {
        let now = ContinuousClock.now
        state.withLock { state in
            // After a pause, of the server or of this process, nobody could be heard.
            if let last = state.lastBeat, now - last > configuration.heartbeatTimeout / 2 { state.steadySince = nil }
            state.lastBeat = now
            if state.steadySince == nil { state.steadySince = now }
        }
    }

    /// Since when everybody alive can be heard; `nil` if that is not so now.
    private var steadySince: ContinuousClock.Instant? {
        state.withLock { state in
            guard let last = state.lastBeat, ContinuousClock.now - last <= configuration.heartbeatTimeout / 2 else {
                return nil
            }
            return state.steadySince
        }
    }

    // MARK: Paused queues

    /// How long it takes at most to hear that a queue was paused or resumed, if that is of interest.
    private static let pauseCheckInterval = Duration.milliseconds(500)

    private func watchPauses() async {
        while !Task.isCancelled {
            await taskExecutor.sleep(for: Self.pauseCheckInterval)
            let sources = state.withLock(\.sources).filter(\.asksForPause)
            if sources.isEmpty { continue }
            do {
                var paused: Set<TextKey> = []
                try await executor.scan(set: keys.paused) { paused.insert(TextKey($0)) }
                for source in sources { source.note(isPaused: paused.contains(TextKey(source.queueName))) }
            } catch {
                // They ask by taking, and say what is wrong with the server.
                for source in sources { source.note(isPaused: false) }
            }
        }
    }

    // MARK: Looking for the dead

    private func reap() async {
        let reaper = RedisReaper(
            executor: executor, keys: keys, configuration: configuration, transportID: transportID, logger: logger)
        var watch = HeartbeatWatch()
        let interval = configuration.heartbeatTimeout / 4
        var nextExpiry = ContinuousClock.now + configuration.heartbeatTimeout
        while !Task.isCancelled {
            await taskExecutor.sleep(for: interval)
            if Task.isCancelled { break }
            do {
                guard let steadySince else { continue }
                let asked = ContinuousClock.now
                watch.look(try await reaper.heartbeats(), asked: asked)
                try await reaper.returnWhatTheyHold(
                    watch.silent(for: configuration.heartbeatTimeout, since: steadySince))
                guard ContinuousClock.now >= nextExpiry else { continue }
                nextExpiry = .now + .seconds(60)
                let queues = Set(state.withLock(\.sources).map(\.queueName))
                for queue in Set(queues.map(QueueName.canonical)) { try await reaper.expireDeadLetters(of: queue) }
                for queue in queues { try await reaper.forgetWhatIsGone(from: queue) }
            } catch {
                if !Task.isCancelled {
                    logger.log(
                        level: error.redisLogLevel, "Looking for dead workers failed", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
