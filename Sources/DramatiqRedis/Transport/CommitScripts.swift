import Dramatiq
import Synchronization

/// Runs the scripts that execute commits, as few of them as the commits need.
final class CommitScripts: Sendable {
    private struct State {
        /// The scripts that are on their way.
        var underWay: [UInt64: (since: ContinuousClock.Instant, task: Task<[RESPValue], any Error>)] = [:]
        var next: UInt64 = 0
        /// Whether the last script was given up since the server said nothing.
        var isSilent = false
        /// Commits whose answers have come, so that the server need not remember them.
        var forgotten: [UInt64] = []
    }

    /// Bounds on one script, so that it never keeps the server for long.
    private static let maximumCommits = 256
    private static let maximumSize = 512 << 10
    private static let maximumForgotten = 1000

    private let executor: any RedisExecutor
    private let transportID: String
    private let scriptKeys: [String]
    private let state = Mutex(State())

    init(executor: any RedisExecutor, keys: RedisKeys, transportID: String) {
        self.executor = executor
        self.transportID = transportID
        scriptKeys = keys.scriptKeys(transportID)
    }

    /// Runs steps.
    ///
    /// Those that must not wait for memory never go with those that can: see ``CommitScript``.
    ///
    /// - Returns: what became of each commit in them, by its place.
    func run(_ steps: [CommitStep]) async -> [(place: Int, result: Result<RedisCommit.Result, any Error>)] {
        let (frugal, hungry) = (steps.filter { !$0.needsMemory }, steps.filter(\.needsMemory))
        if hungry.isEmpty { return await run(frugal, needsMemory: false) }
        if frugal.isEmpty { return await run(hungry, needsMemory: true) }
        async let others = run(frugal, needsMemory: false)
        return await run(hungry, needsMemory: true) + others
    }

    private func run(
        _ steps: [CommitStep],
        needsMemory: Bool
    ) async -> [(place: Int, result: Result<RedisCommit.Result, any Error>)] {
        var results: [(place: Int, result: Result<RedisCommit.Result, any Error>)] = []
        var rest = steps[...]
        while !rest.isEmpty {
            var size = 0
            var count = 0
            let script = rest.prefix { step in
                size += step.size
                count += step.commitCount
                return size <= Self.maximumSize && count <= Self.maximumCommits
            }
            // A step that is larger than all that goes by itself.
            let some = script.isEmpty ? rest.prefix(1) : script
            rest = rest.dropFirst(some.count)
            results += await run(Array(some), needsMemory)
        }
        return results
    }

    private func run(
        _ steps: [CommitStep],
        _ needsMemory: Bool
    ) async -> [(place: Int, result: Result<RedisCommit.Result, any Error>)] {
        do {
            let reply = try await execute(command(steps, needsMemory))
            guard reply.count == steps.count else {
                throw RedisError(
                    .unexpectedReply, "\(steps.count) steps were answered with \(reply.count) results",
                    mayHaveTakenEffect: true)
            }
            // All of them first, so that nothing is told to anybody if one of them can't be read.
            let results = try zip(steps, reply).map { try $0.results($1) }
            state.withLock { state in
                for (step, results) in zip(steps, results) { step.addRecorded(results, to: &state.forgotten) }
            }
            return zip(steps, results).flatMap { step, results in
                zip(step.places, results).map { ($0, .success($1)) }
            }
        } catch {
            return steps.flatMap { step in step.places.map { ($0, .failure(error)) } }
        }
    }

    private func command(_ steps: [CommitStep], _ needsMemory: Bool) -> RedisCommand {
        let forgotten = state.withLock { state in
            let some = Array(state.forgotten.suffix(Self.maximumForgotten))
            state.forgotten.removeLast(some.count)
            return some
        }
        var command = RedisCommand(
            CommitScript.script, keys: scriptKeys, transportID, RedisTransport.commitRecordTTL, needsMemory ? "1" : "0",
            forgotten.count)
        command.reserve(256 + 16 * forgotten.count + steps.reduce(0) { $0 + $1.size })
        for tag in forgotten { command.append(String(tag)) }
        for step in steps { command.append(step) }
        return command
    }

    private func execute(_ command: RedisCommand) async throws -> [RESPValue] {
        let (number, task) = state.withLock { state in
            state.next += 1
            // A task of its own, so that it can be given up; it is always waited for.
            let task = Task { [executor] in try await executor.execute(command).array() }
            state.underWay[state.next] = (.now, task)
            return (state.next, task)
        }
        let result = await task.result
        state.withLock { state in
            state.underWay[number] = nil
            if case .success = result { state.isSilent = false }
        }
        do {
            return try result.get()
        } catch is CancellationError {
            throw RedisError(
                .commandTimeout, "The server did not answer before the time for a shutdown was over",
                mayHaveTakenEffect: true)
        }
    }

    // MARK: A server that is gone

    /// Whether the server has not answered in time, and nothing since.
    var isSilent: Bool { state.withLock(\.isSilent) }

    func noteSilence() {
        state.withLock { $0.isSilent = true }
    }

    /// Gives up the scripts that are to be answered by an instant and were not; those that were sent late have a little
    /// longer, unless the server is known to be silent. Nobody knows what became of them.
    func giveUpSilent(_ deadline: ContinuousClock.Instant, _ patience: Duration) {
        let now = ContinuousClock.now
        guard now >= deadline else { return }
        let tasks = state.withLock { state in
            let late = state.underWay.values.filter { state.isSilent || now - $0.since >= patience }
            if !late.isEmpty { state.isSilent = true }
            return late.map(\.task)
        }
        for task in tasks { task.cancel() }
    }
}
