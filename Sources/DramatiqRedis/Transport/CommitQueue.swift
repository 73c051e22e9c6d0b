import DequeModule
import Dramatiq
import Synchronization

/// Sends commits to the server: those that come while others are on their way go together in one script.
///
/// Under load that saves most of what a script costs; a commit that comes alone is sent at once.
final class CommitQueue: Sendable {
    fileprivate struct Pending {
        let commit: RedisCommit
        let continuation: CheckedContinuation<RedisCommit.Result, any Error>
    }

    /// A message that is acknowledged, and nothing besides.
    fileprivate struct Acknowledgement {
        enum Waiter {
            case task(CheckedContinuation<RedisCommit.Result, any Error>)
            case observer(any AcknowledgementObserver, Delivery)
        }

        let message: TakenMessage
        let waiter: Waiter
    }

    /// What one script does.
    fileprivate struct Batch {
        var acknowledgements: [Acknowledgement] = []
        var commits: [Pending] = []
        /// The tags of commits whose answers have come.
        var forgotten: [UInt64] = []
        var needsMemory = false
    }

    fileprivate struct State {
        /// None of them needs memory, so they go with the first lane.
        var acknowledgements: [Acknowledgement] = []
        /// Those that must not wait for memory, and those that can: never in one script.
        var lanes: [Deque<Pending>] = [[], []]
        var nextLane = 0
        var scriptsUnderWay = 0
        /// Commits whose answers have come.
        var forgotten: [UInt64] = []
    }

    /// How many scripts may be on their way at a time: while the server runs one, the next is made.
    private static let maximumScripts = 2
    /// Bounds on one script, so that it never keeps the server for long.
    fileprivate static let maximumCommits = 256
    fileprivate static let maximumAcknowledgements = 500
    fileprivate static let maximumSize = 512 << 10
    fileprivate static let maximumForgotten = 1000

    private let executor: any RedisExecutor
    private let keys: RedisKeys
    private let transportID: String
    private let ledger: TakenLedger
    private let state = Mutex(State())

    init(executor: any RedisExecutor, keys: RedisKeys, transportID: String, ledger: TakenLedger) {
        self.executor = executor
        self.keys = keys
        self.transportID = transportID
        self.ledger = ledger
    }

    /// Does a commit.
    ///
    /// - Throws: `RedisError` if it is not known whether it was done, or that it wasn't.
    func commit(_ commit: RedisCommit) async throws -> RedisCommit.Result {
        try await withCheckedThrowingContinuation { continuation in
            add { $0.lanes[commit.needsMemory ? 1 : 0].append(Pending(commit: commit, continuation: continuation)) }
        }
    }

    /// Acknowledges a message, and nothing besides.
    ///
    /// - Throws: as ``commit(_:)``.
    func acknowledge(_ message: TakenMessage) async throws -> RedisCommit.Result {
        try await withCheckedThrowingContinuation { continuation in
            add { $0.acknowledgements.append(Acknowledgement(message: message, waiter: .task(continuation))) }
        }
    }

    /// Acknowledges a message, and nothing besides, for somebody who doesn't wait. The ledger learns what is done.
    func acknowledge(_ message: TakenMessage, _ delivery: Delivery, _ observer: any AcknowledgementObserver) {
        add { $0.acknowledgements.append(Acknowledgement(message: message, waiter: .observer(observer, delivery))) }
    }

    private func add(_ change: (inout State) -> Void) {
        let begins = state.withLock { state in
            change(&state)
            guard state.scriptsUnderWay < Self.maximumScripts else { return false }
            state.scriptsUnderWay += 1
            return true
        }
        // Every commit is waited for, so the task ends while somebody waits.
        if begins { Task { await run() } }
    }

    /// Sends scripts until nothing waits.
    private func run() async {
        while let batch = state.withLock({ $0.takeBatch() }) { await send(batch) }
    }

    private func send(_ batch: Batch) async {
        let groups = batch.acknowledgementGroups
        do {
            let reply = try await executor.execute(command(batch, groups)).array()
            guard reply.count == groups.count + batch.commits.count else {
                throw RedisError(
                    .unexpectedReply,
                    "\(groups.count + batch.commits.count) commits were answered with \(reply.count) results",
                    mayHaveTakenEffect: true)
            }
            let results = try reply.map { RedisCommit.Result(try $0.string()) }
            state.withLock { state in
                // What was repeated may still be on its way a first time, so that must not be forgotten.
                for pending in batch.commits where !pending.commit.isRepeated {
                    state.forgotten.append(pending.commit.tag)
                }
            }
            for (group, result) in zip(groups, results) { finish(group, result) }
            for (pending, result) in zip(batch.commits, results.dropFirst(groups.count)) {
                pending.continuation.resume(returning: result)
            }
        } catch {
            for group in groups { fail(group, error) }
            for pending in batch.commits { pending.continuation.resume(throwing: error) }
        }
    }

    private func command(_ batch: Batch, _ groups: [[Acknowledgement]]) -> RedisCommand {
        var command = RedisCommand(
            CommitScript.script, keys: [keys.namespace], transportID, RedisTransport.commitRecordTTL,
            batch.needsMemory ? "1" : "0", batch.forgotten.count)
        for tag in batch.forgotten { command.append(String(tag)) }
        for group in groups { command.append(acknowledging: group.lazy.map(\.message)) }
        for pending in batch.commits { command.append(pending.commit) }
        return command
    }

    // MARK: What became of acknowledgements

    private func finish(_ group: [Acknowledgement], _ result: RedisCommit.Result) {
        switch result {
        case .committed: finish(group)
        case .notHeld(let places): finish(group, without: places)
        case .failed(let text): fail(group, RedisError(.server, text))
        case .relayed, .opened, .notReleased, .barrierLost:
            fail(group, RedisError(.unexpectedReply, "Messages were only acknowledged", mayHaveTakenEffect: true))
        }
    }

    private func finish(_ group: [Acknowledgement]) {
        var ended: [TakenMessage] = []
        var observers: [(observer: any AcknowledgementObserver, count: Int)] = []
        for acknowledgement in group {
            switch acknowledgement.waiter {
            case .task(let continuation):
                continuation.resume(returning: .committed)
            case .observer(let observer, _):
                ended.append(acknowledgement.message)
                if let place = observers.firstIndex(where: { $0.observer === observer }) {
                    observers[place].count += 1
                } else {
                    observers.append((observer, 1))
                }
            }
        }
        ledger.end(ended)
        for (observer, count) in observers { observer.didAcknowledge(count) }
    }

    /// Some of the messages are not, or no longer, this worker's.
    private func finish(_ group: [Acknowledgement], without places: [Int]) {
        let missing = Set(places)
        finish(group.indices.filter { !missing.contains($0) }.map { group[$0] })
        for place in missing where group.indices.contains(place) {
            switch group[place].waiter {
            case .task(let continuation):
                continuation.resume(returning: .notHeld())
            case .observer(let observer, let delivery):
                ledger.end([group[place].message])
                observer.didNotAcknowledge([delivery])
            }
        }
    }

    private func fail(_ group: [Acknowledgement], _ error: any Error) {
        for acknowledgement in group {
            switch acknowledgement.waiter {
            case .task(let continuation): continuation.resume(throwing: error)
            case .observer(let observer, let delivery): observer.didNotAcknowledge([delivery])
            }
        }
    }
}

extension CommitQueue.Batch {
    /// The acknowledgements by the worker and the queue that their messages were taken by and from.
    fileprivate var acknowledgementGroups: [[CommitQueue.Acknowledgement]] {
        guard let first = acknowledgements.first else { return [] }
        if acknowledgements.allSatisfy({ $0.message.taken == first.message.taken }) { return [acknowledgements] }
        var groups: [[CommitQueue.Acknowledgement]] = []
        for acknowledgement in acknowledgements {
            // There are as many as a process has consumers.
            if let place = groups.firstIndex(where: { $0[0].message.taken == acknowledgement.message.taken }) {
                groups[place].append(acknowledgement)
            } else {
                groups.append([acknowledgement])
            }
        }
        return groups
    }
}

extension CommitQueue.State {
    /// What the next script does. Without anything to do the script that is under way is the last one.
    fileprivate mutating func takeBatch() -> CommitQueue.Batch? {
        for _ in lanes {
            let lane = nextLane
            nextLane = (lane + 1) % lanes.count
            if lanes[lane].isEmpty, lane != 0 || acknowledgements.isEmpty { continue }
            var batch = CommitQueue.Batch(needsMemory: lane == 1)
            batch.commits = takeCommits(lane)
            if lane == 0 {
                swap(&batch.acknowledgements, &acknowledgements)
                let excess = batch.acknowledgements.count - CommitQueue.maximumAcknowledgements
                if excess > 0 {
                    acknowledgements = batch.acknowledgements.suffix(excess)
                    batch.acknowledgements.removeLast(excess)
                }
            }
            batch.forgotten = Array(forgotten.suffix(CommitQueue.maximumForgotten))
            forgotten.removeLast(batch.forgotten.count)
            return batch
        }
        scriptsUnderWay -= 1
        return nil
    }

    private mutating func takeCommits(_ lane: Int) -> [CommitQueue.Pending] {
        var batch: [CommitQueue.Pending] = []
        var size = 0
        while let next = lanes[lane].first, batch.count < CommitQueue.maximumCommits {
            size += next.commit.size
            if size > CommitQueue.maximumSize, !batch.isEmpty { break }
            batch.append(next)
            lanes[lane].removeFirst()
        }
        return batch
    }
}
