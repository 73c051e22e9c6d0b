import Dramatiq
import Synchronization

/// Runs the scripts that execute commits, as few of them as the commits need.
final class CommitScripts: Sendable {
    private struct State {
        /// The scripts that are on their way.
        var underWay: [UInt64: (since: Moment, waiting: AnswerWait)] = [:]
        var next: UInt64 = 0
        /// Whether the last script was given up since the server said nothing.
        var isSilent = false
        /// What was answered and need not be remembered by the server.
        var forgotten: [CommitTag] = []
    }

    /// Bounds on one script, so that it never keeps the server for long.
    private static let maxCommits = 256
    private static let maxSize = 512 << 10
    private static let maxForgotten = 1000

    private let executor: any SteadyExecutor
    private let transportID: String
    private let scriptKeys: [String]
    private let state = Mutex(State())

    init(executor: any RedisExecutor, keys: RedisKeys, transportID: String) {
        self.executor = executor as? any SteadyExecutor ?? TaskShield(executor)
        self.transportID = transportID
        scriptKeys = keys.scriptKeys(transportID)
    }

    /// What became of a commit, which is known by its place.
    typealias Outcome = (place: Int, result: Result<RedisCommit.Result, any Error>)

    /// Runs steps.
    ///
    /// Those that must not wait for memory never go with those that can: see ``CommitScript``.
    ///
    /// - Returns: what became of each commit in them.
    func run(_ steps: [CommitStep]) async -> [Outcome] {
        let hungry = steps.count(where: \.needsMemory)
        if hungry == 0 || hungry == steps.count { return await run(steps, needsMemory: hungry > 0) }
        async let others = run(steps.filter { !$0.needsMemory }, needsMemory: false)
        return await run(steps.filter(\.needsMemory), needsMemory: true) + others
    }

    private func run(_ steps: [CommitStep], needsMemory: Bool) async -> [Outcome] {
        var outcomes: [Outcome] = []
        var rest = steps[...]
        while !rest.isEmpty {
            let script = Self.script(rest)
            rest = rest[script.endIndex...]
            do {
                let reply = try await execute(command(script, needsMemory)).array()
                outcomes += try read(reply, script)
            } catch {
                for step in script { outcomes += step.places.map { ($0, .failure(error)) } }
            }
        }
        return outcomes
    }

    /// The first steps, as many as one script takes. A step that is larger than all that goes by itself.
    private static func script(_ steps: ArraySlice<CommitStep>) -> ArraySlice<CommitStep> {
        var size = 0
        var count = 0
        let script = steps.prefix { step in
            size += step.size
            count += step.commitCount
            return size <= maxSize && count <= maxCommits
        }
        return script.isEmpty ? steps.prefix(1) : script
    }

    private func read(_ reply: [RESPValue], _ steps: ArraySlice<CommitStep>) throws -> [Outcome] {
        guard reply.count == steps.count else {
            throw RedisError(
                .unexpectedReply, "\(steps.count) steps were answered with \(reply.count) results",
                mayHaveTakenEffect: true)
        }
        // All of them first, so that nothing is told to anybody if one of them can't be read.
        var outcomes: [Outcome] = []
        var recorded: [CommitTag] = []
        for (step, reply) in zip(steps, reply) {
            try step.forEachResult(in: reply) { place, result, tag in
                outcomes.append((place, .success(result)))
                if let tag { recorded.append(tag) }
            }
        }
        if !recorded.isEmpty { forget(recorded) }
        return outcomes
    }

    /// The server need not remember these any longer: nobody asks again.
    func forget(_ tags: [CommitTag]) {
        state.withLock { $0.forgotten += tags }
    }

    private func command(_ steps: ArraySlice<CommitStep>, _ needsMemory: Bool) -> RedisCommand {
        let forgotten = state.withLock { state in
            let some = Array(state.forgotten.suffix(Self.maxForgotten))
            state.forgotten.removeLast(some.count)
            return some
        }
        var command = RedisCommand(
            CommitScript.script, keys: scriptKeys, transportID, RedisTransport.commitRecordTTL, needsMemory ? "1" : "0",
            forgotten.count)
        command.reserve(256 + 16 * forgotten.count + steps.reduce(0) { $0 + $1.size })
        for tag in forgotten { command.append(tag.text) }
        for step in steps { command.append(step) }
        return command
    }

    /// Runs a command that must not be cut short, and is given up like the scripts if the server says nothing.
    func execute(_ command: RedisCommand) async throws -> RESPValue {
        let waiting = AnswerWait()
        let number = state.withLock { state in
            state.next += 1
            state.underWay[state.next] = (.now, waiting)
            return state.next
        }
        do {
            let reply = try await executor.execute(command, waiting)
            state.withLock { state in
                state.underWay[number] = nil
                state.isSilent = false
            }
            return reply
        } catch {
            state.withLock { $0.underWay[number] = nil }
            guard error is CancellationError else { throw error }
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
        let now = Moment.now
        guard now >= Moment(deadline) else { return }
        let waits = state.withLock { state in
            let late = state.underWay.values.filter { state.isSilent || now - $0.since >= patience }
            if !late.isEmpty { state.isSilent = true }
            return late.map(\.waiting)
        }
        for wait in waits { wait.giveUp() }
    }
}
