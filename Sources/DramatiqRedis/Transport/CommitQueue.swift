import DequeModule
import Dramatiq
import Synchronization

/// Sends commits to the server: those that come while others are on their way go together in one script.
///
/// Under load that saves most of what a script costs; a commit that comes alone is sent at once.
final class CommitQueue: Sendable {
    typealias Completion = @Sendable (Result<RedisCommit.Result, any Error>) -> Void

    fileprivate final class Pending: Sendable {
        let commit: RedisCommit
        let continuation: CheckedContinuation<RedisCommit.Result, any Error>

        init(_ commit: RedisCommit, _ continuation: CheckedContinuation<RedisCommit.Result, any Error>) {
            self.commit = commit
            self.continuation = continuation
        }
    }

    /// A message that is acknowledged with an arrival that releases nothing, for the first time.
    fileprivate final class Arrival: Sendable {
        let message: TakenMessage
        let barrier: BarrierKey
        let party: String
        let completion: Completion

        init(_ message: TakenMessage, _ arrival: BarrierCommit.Arrival, _ completion: @escaping Completion) {
            self.message = message
            barrier = arrival.barrier
            party = arrival.party
            self.completion = completion
        }
    }

    /// A message that is acknowledged, and nothing besides.
    fileprivate struct Acknowledgement {
        enum Waiter {
            case task(CheckedContinuation<RedisCommit.Result, any Error>)
            case observer(any AcknowledgementObserver, token: any AnyObject & Sendable)
        }

        let message: TakenMessage
        let waiter: Waiter
    }

    /// What a script does and answers as one.
    fileprivate enum Step {
        case acknowledgements([Acknowledgement])
        case arrivals([Arrival])
        case commit(Pending)
    }

    /// What one script does.
    fileprivate struct Batch {
        var acknowledgements: [Acknowledgement] = []
        var arrivals: [Arrival] = []
        var commits: [Pending] = []
        /// The tags of commits whose answers have come.
        var forgotten: [UInt64] = []
        var needsMemory = false
    }

    /// A script that is on its way, with the task that sends one after the other.
    fileprivate struct Script {
        var since: ContinuousClock.Instant
        let task: Task<Void, Never>
    }

    fileprivate struct State {
        /// None of these needs memory, so they go with the first lane.
        var acknowledgements: [Acknowledgement] = []
        var arrivals: [Arrival] = []
        /// Those that must not wait for memory, and those that can: never in one script.
        var lanes: [Deque<Pending>] = [[], []]
        var nextLane = 0
        /// The scripts that are on their way, each in a place of its own.
        var scripts: [Script?] = Array(repeating: nil, count: CommitQueue.maximumScripts)
        /// Whether the last script was given up since the server said nothing.
        var isSilent = false
        /// Commits whose answers have come.
        var forgotten: [UInt64] = []
    }

    /// How many scripts may be on their way at a time: while the server runs one, the next is made.
    fileprivate static let maximumScripts = 2
    /// Bounds on one script, so that it never keeps the server for long.
    fileprivate static let maximumCommits = 256
    fileprivate static let maximumAcknowledgements = 500
    fileprivate static let maximumArrivals = 250
    fileprivate static let maximumSize = 512 << 10
    fileprivate static let maximumForgotten = 1000

    private let executor: any RedisExecutor
    private let transportID: String
    private let scriptKeys: [String]
    private let ledger: TakenLedger
    private let state = Mutex(State())

    init(executor: any RedisExecutor, keys: RedisKeys, transportID: String, ledger: TakenLedger) {
        self.executor = executor
        self.transportID = transportID
        scriptKeys = keys.scriptKeys(transportID)
        self.ledger = ledger
    }

    /// Does a commit.
    ///
    /// - Throws: `RedisError` if it is not known whether it was done, or that it wasn't.
    func commit(_ commit: RedisCommit) async throws -> RedisCommit.Result {
        try await withCheckedThrowingContinuation { continuation in
            let pending = Pending(commit, continuation)
            add { $0.lanes[commit.needsMemory ? 1 : 0].append(pending) }
        }
    }

    /// Acknowledges a message that was not to be settled before, and arrives at a barrier without releasing it.
    ///
    /// - Throws: as ``commit(_:)``.
    func arrive(_ message: TakenMessage, _ arrival: BarrierCommit.Arrival) async throws -> RedisCommit.Result {
        try await withCheckedThrowingContinuation { continuation in
            arrive(message, arrival) { continuation.resume(with: $0) }
        }
    }

    /// As ``arrive(_:_:)``, for somebody who doesn't wait.
    func arrive(_ message: TakenMessage, _ arrival: BarrierCommit.Arrival, _ completion: @escaping Completion) {
        let arrival = Arrival(message, arrival, completion)
        add { $0.arrivals.append(arrival) }
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
    ///
    /// - Parameter token: what the observer knows it by.
    func acknowledge(
        _ message: TakenMessage,
        token: any AnyObject & Sendable,
        _ observer: any AcknowledgementObserver
    ) {
        let acknowledgement = Acknowledgement(message: message, waiter: .observer(observer, token: token))
        add { $0.acknowledgements.append(acknowledgement) }
    }

    private func add(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            guard let place = state.scripts.firstIndex(where: { $0 == nil }) else { return }
            // Every commit is waited for, so the task ends while somebody waits.
            state.scripts[place] = Script(since: .now, task: Task { await run(place) })
        }
    }

    /// Sends scripts until nothing waits, or one of them is given up.
    private func run(_ place: Int) async {
        while let batch = state.withLock({ $0.takeBatch(place) }) {
            await send(batch)
            if Task.isCancelled {
                state.withLock { $0.scripts[place] = nil }
                // Others go on with what waits.
                return add { _ in }
            }
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
            let late = state.scripts.compactMap(\.self).filter { state.isSilent || now - $0.since >= patience }
            if !late.isEmpty { state.isSilent = true }
            return late.map(\.task)
        }
        for task in tasks { task.cancel() }
    }

    private func send(_ batch: Batch) async {
        let steps = batch.steps
        do {
            let reply = try await executor.execute(command(batch, steps)).array()
            if isSilent { state.withLock { $0.isSilent = false } }
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
            for (step, results) in zip(steps, results) { finish(step, results) }
        } catch is CancellationError {
            let error = RedisError(
                .commandTimeout, "The server did not answer before the time for a shutdown was over",
                mayHaveTakenEffect: true)
            for step in steps { fail(step, error) }
        } catch {
            for step in steps { fail(step, error) }
        }
    }

    private func command(_ batch: Batch, _ steps: [Step]) -> RedisCommand {
        var command = RedisCommand(
            CommitScript.script, keys: scriptKeys, transportID, RedisTransport.commitRecordTTL,
            batch.needsMemory ? "1" : "0", batch.forgotten.count)
        // An id takes 43 bytes on the wire, a tag or a party a little less.
        command.reserve(
            256 + 16 * batch.forgotten.count + 43 * batch.acknowledgements.count + 102 * batch.arrivals.count
                + batch.commits.reduce(0) { $0 + $1.commit.size })
        for tag in batch.forgotten { command.append(String(tag)) }
        for step in steps {
            switch step {
            case .acknowledgements(let group): command.append(acknowledging: group.lazy.map(\.message))
            case .arrivals(let group): command.append(arrivals: group)
            case .commit(let pending): command.append(pending.commit)
            }
        }
        return command
    }

    // MARK: What became of them

    private func finish(_ step: Step, _ results: [RedisCommit.Result]) {
        switch step {
        case .acknowledgements(let group):
            finish(group, results[0])
        case .arrivals(let group):
            for (arrival, result) in zip(group, results) { arrival.completion(.success(result)) }
        case .commit(let pending):
            pending.continuation.resume(returning: results[0])
        }
    }

    private func fail(_ step: Step, _ error: any Error) {
        switch step {
        case .acknowledgements(let group): fail(group, error)
        case .arrivals(let group): for arrival in group { arrival.completion(.failure(error)) }
        case .commit(let pending): pending.continuation.resume(throwing: error)
        }
    }

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
            case .observer(let observer, let token):
                ledger.end([group[place].message])
                observer.didNotAcknowledge([token])
            }
        }
    }

    private func fail(_ group: [Acknowledgement], _ error: any Error) {
        for acknowledgement in group {
            switch acknowledgement.waiter {
            case .task(let continuation): continuation.resume(throwing: error)
            case .observer(let observer, let token): observer.didNotAcknowledge([token])
            }
        }
    }
}

extension CommitQueue.Batch {
    /// What the script is told: alike commits together, which saves both sides most of the work.
    fileprivate var steps: [CommitQueue.Step] {
        var steps: [CommitQueue.Step] = []
        for group in grouped(acknowledgements, by: { $0.message.taken == $1.message.taken }) {
            steps.append(.acknowledgements(group))
        }
        for group in grouped(
            arrivals, by: { $0.barrier == $1.barrier && $0.message.taken == $1.message.taken })
        {
            steps.append(.arrivals(group))
        }
        for pending in commits { steps.append(.commit(pending)) }
        return steps
    }

    /// Elements with those that are like them. There are few groups: as many as a process has consumers and workflows
    /// under way.
    private func grouped<Element>(_ elements: [Element], by areAlike: (Element, Element) -> Bool) -> [[Element]] {
        guard let first = elements.first else { return [] }
        if elements.allSatisfy({ areAlike($0, first) }) { return [elements] }
        var groups: [[Element]] = []
        for element in elements {
            if let place = groups.firstIndex(where: { areAlike($0[0], element) }) {
                groups[place].append(element)
            } else {
                groups.append([element])
            }
        }
        return groups
    }
}

extension CommitQueue.Step {
    /// Adds the tags under which the server remembers what it answered, and need not any longer.
    fileprivate func addRecorded(_ results: [RedisCommit.Result], to tags: inout [UInt64]) {
        switch self {
        case .acknowledgements:
            break
        case .arrivals(let group):
            for (arrival, result) in zip(group, results) where result.isRecorded { tags.append(arrival.message.tag) }
        case .commit(let pending):
            // What was repeated may still be on its way a first time, so that must not be forgotten.
            if !pending.commit.isRepeated, results[0].isRecorded { tags.append(pending.commit.tag) }
        }
    }

    /// Reads what the script answered.
    fileprivate func results(_ reply: RESPValue) throws -> [RedisCommit.Result] {
        guard case .arrivals(let group) = self else { return [RedisCommit.Result(try reply.string())] }
        guard case .array(let texts) = reply else {
            // They all have the same.
            return Array(repeating: RedisCommit.Result(try reply.string()), count: group.count)
        }
        guard texts.count == group.count else {
            throw RedisError(
                .unexpectedReply, "\(group.count) arrivals were answered with \(texts.count) results",
                mayHaveTakenEffect: true)
        }
        return try texts.map { RedisCommit.Result(try $0.string()) }
    }
}

extension RedisCommand {
    /// Adds arrivals of messages of one worker and one queue at one barrier, as the script reads them.
    fileprivate mutating func append(arrivals: [CommitQueue.Arrival]) {
        guard let first = arrivals.first else { return }
        append(6 + 3 * arrivals.count)
        append("h")
        append(first.message.taken)
        append(first.message.queueName)
        append(first.barrier)
        for arrival in arrivals {
            append(String(arrival.message.tag))
            append(arrival.message.id)
            append(arrival.party)
        }
    }
}

extension CommitQueue.State {
    /// What the next script does. Without anything to do the script that is under way is the last one.
    ///
    /// - Parameter place: whose script it is.
    fileprivate mutating func takeBatch(_ place: Int) -> CommitQueue.Batch? {
        for _ in lanes {
            let lane = nextLane
            nextLane = (lane + 1) % lanes.count
            if lanes[lane].isEmpty, lane != 0 || acknowledgements.isEmpty && arrivals.isEmpty { continue }
            var batch = CommitQueue.Batch(needsMemory: lane == 1)
            batch.commits = takeCommits(lane)
            if lane == 0 {
                batch.acknowledgements = Self.take(&acknowledgements, CommitQueue.maximumAcknowledgements)
                batch.arrivals = Self.take(&arrivals, CommitQueue.maximumArrivals)
            }
            batch.forgotten = Array(forgotten.suffix(CommitQueue.maximumForgotten))
            forgotten.removeLast(batch.forgotten.count)
            scripts[place]?.since = .now
            return batch
        }
        scripts[place] = nil
        return nil
    }

    /// Takes the first elements out, usually all of them.
    private static func take<Element>(_ elements: inout [Element], _ maximum: Int) -> [Element] {
        var taken: [Element] = []
        swap(&taken, &elements)
        let excess = taken.count - maximum
        if excess > 0 {
            elements = taken.suffix(excess)
            taken.removeLast(excess)
        }
        return taken
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
