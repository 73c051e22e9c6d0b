import DequeModule
import Synchronization

/// Sends commits to the server: those that come while others are on their way go together in one script.
///
/// Under load that saves most of what a script costs; a commit that comes alone is sent at once.
final class CommitQueue: Sendable {
    fileprivate struct Pending {
        let commit: RedisCommit
        let continuation: CheckedContinuation<RedisCommit.Result, any Error>
    }

    fileprivate struct State {
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
    fileprivate static let maximumSize = 512 << 10
    fileprivate static let maximumForgotten = 1000

    private let executor: any RedisExecutor
    private let keys: RedisKeys
    private let transportID: String
    private let state = Mutex(State())

    init(executor: any RedisExecutor, keys: RedisKeys, transportID: String) {
        self.executor = executor
        self.keys = keys
        self.transportID = transportID
    }

    /// Does a commit.
    ///
    /// - Throws: `RedisError` if it is not known whether it was done, or that it wasn't.
    func commit(_ commit: RedisCommit) async throws -> RedisCommit.Result {
        try await withCheckedThrowingContinuation { continuation in
            let begins = state.withLock { state in
                state.lanes[commit.needsMemory ? 1 : 0].append(Pending(commit: commit, continuation: continuation))
                guard state.scriptsUnderWay < Self.maximumScripts else { return false }
                state.scriptsUnderWay += 1
                return true
            }
            // Every commit is waited for, so the task ends while somebody waits.
            if begins { Task { await run() } }
        }
    }

    /// Sends scripts until nothing waits.
    private func run() async {
        while let (batch, forgotten) = state.withLock({ $0.takeBatch() }) {
            await send(batch, forgotten)
        }
    }

    private func send(_ batch: [Pending], _ forgotten: [UInt64]) async {
        do {
            let reply = try await executor.execute(command(batch, forgotten)).array()
            guard reply.count == batch.count else {
                throw RedisError(
                    .unexpectedReply, "\(batch.count) commits were answered with \(reply.count) results",
                    mayHaveTakenEffect: true)
            }
            let results = try reply.map { RedisCommit.Result(try $0.string()) }
            state.withLock { state in
                // What was repeated may still be on its way a first time, so that must not be forgotten.
                for pending in batch where !pending.commit.isPlainAcknowledgement && !pending.commit.isRepeated {
                    state.forgotten.append(pending.commit.tag)
                }
            }
            for (pending, result) in zip(batch, results) { pending.continuation.resume(returning: result) }
        } catch {
            for pending in batch { pending.continuation.resume(throwing: error) }
        }
    }

    private func command(_ batch: [Pending], _ forgotten: [UInt64]) -> RedisCommand {
        var command = RedisCommand(
            CommitScript.script, keys: [keys.namespace], transportID, RedisTransport.commitRecordTTL,
            batch.contains { $0.commit.needsMemory } ? "1" : "0", forgotten.count)
        for tag in forgotten { command.append(String(tag)) }
        for pending in batch { command.append(pending.commit) }
        return command
    }
}

extension CommitQueue.State {
    /// What the next script does. Without anything to do the script that is under way is the last one.
    fileprivate mutating func takeBatch() -> ([CommitQueue.Pending], forgotten: [UInt64])? {
        for _ in lanes {
            let lane = nextLane
            nextLane = (lane + 1) % lanes.count
            if lanes[lane].isEmpty { continue }
            let told = Array(forgotten.suffix(CommitQueue.maximumForgotten))
            forgotten.removeLast(told.count)
            return (takeBatch(lane), told)
        }
        scriptsUnderWay -= 1
        return nil
    }

    private mutating func takeBatch(_ lane: Int) -> [CommitQueue.Pending] {
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
