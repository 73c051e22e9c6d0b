import DequeModule
import Logging
import Synchronization

/// Hears of the commits that hold, after the fact and without a say: for metrics, audits and the like.
///
/// A middleware that conforms is told of all commits of its broker. It is called on the way of every message, one commit
/// after the other for those that go together, so it must not wait for anything; it costs no batching.
public protocol CommitObserver: Sendable {
    /// A commit holds, as its result says.
    func didCommit(_ commit: Commit, _ result: CommitResult)
}

/// Hears how long commits take that a server answers, one batch at a time.
///
/// A middleware that conforms is told of all such batches of its broker, and must not wait for anything. What a transport
/// does without being waited for has no batches.
public protocol SettlementObserver: Sendable {
    /// Commits that went to the transport together were answered: they hold, or failed.
    ///
    /// - Parameters:
    ///   - count: how many there were.
    ///   - latency: the time since the one of them that waited longest was handed over.
    func didSettle(commits count: Int, after latency: Duration)
}

/// Is told what became of commits that nobody waits for; see ``CommitPipeline``.
package protocol CommitOwner: AnyObject, Sendable {
    /// A number of commits hold that are only counted.
    func didCommit(_ count: Int)

    /// What became of a commit; of one that is only counted if it failed or opened a barrier.
    ///
    /// - Parameter token: what the commit was handed over with.
    func didCommit(_ commit: Commit, _ token: any AnyObject & Sendable, _ result: Result<CommitResult, any Error>)
}

/// The way of all commits to a transport: those that come while others are under way go together, as many as the
/// transport takes.
///
/// Under load that saves most of what a commit costs; one that comes alone goes at once.
package final class CommitPipeline: Sendable {
    private enum Waiter {
        /// Not a checked one, which would cost an allocation: every entry is in one batch, and ``finish(_:_:)`` resumes
        /// each of a batch once.
        case task(UnsafeContinuation<CommitResult, any Error>)
        /// Of commits that are only counted, the owner is told how many hold.
        case owner(any CommitOwner, token: any AnyObject & Sendable, isCounted: Bool)
    }

    private struct Entry {
        let commit: Commit
        /// Whether the observers are told of a larger one.
        var isPart = false
        let waiter: Waiter
        /// When it was handed over, if somebody wants to know.
        let since: Moment?
    }

    private struct State {
        var waiting: Deque<Entry> = []
        var underWay = 0

        /// Returns whether a commit goes at once, by itself: there is no other.
        mutating func beginAlone() -> Bool {
            guard underWay == 0 else { return false }
            underWay = 1
            return true
        }

        /// Whether there is something to do after a batch. Otherwise it was the last one that was under way.
        mutating func hasMore() -> Bool {
            if waiting.isEmpty { underWay -= 1 }
            return !waiting.isEmpty
        }

        /// What goes together next.
        mutating func takeBatch(_ maximum: Int) -> [Entry]? {
            guard hasMore() else { return nil }
            let count = min(maximum, waiting.count)
            var batch: [Entry] = []
            batch.reserveCapacity(count)
            for _ in 0..<count { batch.append(waiting.removeFirst()) }
            return batch
        }
    }

    private let transport: any Transport
    private let maxBatch: Int
    private let maxBatchesUnderWay: Int
    private let sendPatience: Duration
    private let ignoresCancellation: Bool
    private let observers: [any CommitObserver]
    private let settlementObservers: [any SettlementObserver]
    private let logger: Logger
    private let state = Mutex(State())

    init(
        _ transport: any Transport,
        observers: [any CommitObserver],
        settlementObservers: [any SettlementObserver],
        logger: Logger
    ) {
        self.observers = observers
        self.settlementObservers = settlementObservers
        self.transport = transport
        self.logger = logger
        let traits = transport.traits
        maxBatch = traits.maxBatch
        maxBatchesUnderWay = traits.maxBatchesUnderWay
        sendPatience = traits.sendPatience
        ignoresCancellation = traits.commitsIgnoreCancellation
    }

    /// Whether commits of one kind go together, so that it is worth while not to wait for each.
    var isBatching: Bool { maxBatch > 1 }

    /// Commits without waiting; `nil` if the transport can't, or barriers are kept elsewhere. ``wakeConsumers()`` has to
    /// follow.
    func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? {
        if isSplit(commit) { return nil }
        let result = transport.commitNow(commit)
        if let result { note(commit, result) }
        return result
    }

    /// Whether the commit's barriers are kept elsewhere.
    private func isSplit(_ commit: Commit) -> Bool {
        guard let state = commit.state else { return false }
        return !transport.includes(state.store)
    }

    private func note(_ commit: Commit, _ result: Result<CommitResult, any Error>) {
        guard !observers.isEmpty, case .success(let result) = result else { return }
        for observer in observers { observer.didCommit(commit, result) }
    }

    /// Now, if somebody wants to know how long commits take.
    private var now: Moment? { settlementObservers.isEmpty ? nil : .now }

    private func noteBatch(_ count: Int, since beginning: Moment?) {
        guard let beginning else { return }
        let latency = Moment.now - beginning
        for observer in settlementObservers { observer.didSettle(commits: count, after: latency) }
    }

    func wakeConsumers() {
        transport.wakeConsumers()
    }

    /// Commits.
    ///
    /// - Throws: why it is not known to hold.
    package func commit(_ commit: Commit) async throws -> CommitResult {
        if let result = commitNow(commit) {
            wakeConsumers()
            return try result.get()
        }
        guard let state = commit.state, !transport.includes(state.store) else { return try await whole(commit) }
        let result = try await SplitCommit(commit: commit, state: state).run { rest in
            if let result = transport.commitNow(rest) {
                wakeConsumers()
                return try result.get()
            }
            return try await whole(rest, isPart: true)
        } releaseDidFail: { error in
            logger.warning("A barrier's release can't be recorded", metadata: ["error": "\(error)"])
        }
        note(commit, .success(result))
        return result
    }

    /// - Parameter isPart: whether the observers are told of a larger one.
    private func whole(_ commit: Commit, isPart: Bool = false) async throws -> CommitResult {
        if ignoresCancellation, state.withLock({ $0.beginAlone() }) { return try await alone(commit, isPart: isPart) }
        return try await withUnsafeThrowingContinuation { continuation in
            add(Entry(commit: commit, isPart: isPart, waiter: .task(continuation), since: now))
        }
    }

    /// Commits in the task that made the commit, which saves the ways to another one and back. What has come meanwhile
    /// goes together.
    private func alone(_ commit: Commit, isPart: Bool) async throws -> CommitResult {
        let beginning = now
        let result = await transport.commit([commit]).first ?? .failure(BrokerError.commitUnanswered)
        noteBatch(1, since: beginning)
        if state.withLock({ $0.hasMore() }) { Task { await run() } }
        if !isPart { note(commit, result) }
        return try result.get()
    }

    /// Commits one after the other, as many at a time as the transport takes. In an outage each would take its time to
    /// fail, so the first such error is that of all that come after.
    ///
    /// - Returns: as many results as there are commits.
    func commitInOrder(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        var results: [Result<CommitResult, any Error>] = []
        results.reserveCapacity(commits.count)
        defer { wakeConsumers() }
        while results.count < commits.count {
            if let result = commitNow(commits[results.count]) {
                results.append(result)
                continue
            }
            let batch = Array(commits[results.count...].prefix(maxBatch))
            let beginning = now
            let answers = await transport.commit(batch)
            noteBatch(batch.count, since: beginning)
            for (index, commit) in batch.enumerated() {
                let result = answers.indices.contains(index) ? answers[index] : .failure(BrokerError.commitUnanswered)
                note(commit, result)
                results.append(result)
            }
            if case .failure(let error as any TransientError)? = results.last, error.isTransient {
                results += Array(repeating: .failure(error), count: commits.count - results.count)
            }
        }
        return results
    }

    /// Whether ``submit(_:token:_:)`` can take a commit.
    func canSubmit(_ commit: Commit) -> Bool {
        isBatching && !isSplit(commit)
    }

    /// Commits, for an owner who doesn't wait and is told once what became of it.
    ///
    /// - Parameter isCounted: whether the owner only wants to know how many of them hold.
    package func submit(
        _ commit: Commit,
        token: any AnyObject & Sendable,
        _ owner: any CommitOwner,
        isCounted: Bool = true
    ) {
        add(Entry(commit: commit, waiter: .owner(owner, token: token, isCounted: isCounted), since: now))
    }

    /// Sends messages and makes barriers, which is repeated while there is an outage for as long as the transport is
    /// patient.
    func send(_ new: Commit) async throws {
        try await repeatingInOutages(for: sendPatience) { isRepeated in
            var commit = new
            if isRepeated { commit.isRepeated = true }
            _ = try await self.commit(commit)
        }
    }

    private func add(_ entry: Entry) {
        let begins = state.withLock { state in
            state.waiting.append(entry)
            guard state.underWay < maxBatchesUnderWay else { return false }
            state.underWay += 1
            return true
        }
        // Every commit is waited for, so the task ends while somebody waits.
        if begins { Task { await run() } }
    }

    private func run() async {
        while let batch = state.withLock({ $0.takeBatch(maxBatch) }) {
            finish(batch, await transport.commit(batch.map(\.commit)))
        }
    }

    private func finish(_ batch: [Entry], _ results: [Result<CommitResult, any Error>]) {
        noteBatch(batch.count, since: batch.first?.since)
        var counted: (owner: any CommitOwner, count: Int)?
        for (index, entry) in batch.enumerated() {
            let result = results.indices.contains(index) ? results[index] : .failure(BrokerError.commitUnanswered)
            if !entry.isPart { note(entry.commit, result) }
            switch entry.waiter {
            case .task(let continuation):
                continuation.resume(with: result)
            case .owner(let owner, let token, let isCounted):
                guard isCounted, case .success(let outcome) = result, outcome.status != .opened else {
                    owner.didCommit(entry.commit, token, result)
                    continue
                }
                if let (known, count) = counted, known === owner {
                    counted = (known, count + 1)
                } else {
                    counted.map { $0.owner.didCommit($0.count) }
                    counted = (owner, 1)
                }
            }
        }
        counted.map { $0.owner.didCommit($0.count) }
    }
}
