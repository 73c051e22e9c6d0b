import DequeModule

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The runs that an in-memory store keeps, each for as long as its barrier, and then for its retention.
struct InMemoryRuns {
    private struct Run {
        let name: String
        let labels: [String: String]
        let started: Date
        let retention: Duration
        let maxEnded: Int
        let taskCount: Int
        let callbacks: RunCallbacks
        let groupCallbacks: [RunCallbacks]
        var outline: String
        var state = RunState.running
        var ended: Date?
        var expiry: Moment
        var tasks: [TextKey: RunTaskCounts] = [:]
        var open: Set<TextKey> = []
        var failures: [TextKey: RunStatus.Failure] = [:]
        var held: [TextKey: HeldMessage] = [:]
        /// What is kept elsewhere for it alone.
        var contents: Set<RunStep.Content> = []

        /// The first actors of a definition are counted apart, all others together, as in Redis.
        mutating func count(
            _ actorName: String,
            isOfDefinition: Bool = false,
            _ change: (inout RunTaskCounts) -> Void
        ) {
            var key = TextKey(actorName)
            let isNew =
                isOfDefinition && tasks.count < RunLimits.maxActors
                && actorName.utf8.count <= RunLimits.maxNameLength
            if tasks[key] == nil, !isNew { key = "" }
            change(&tasks[key, default: RunTaskCounts()])
        }

        mutating func apply(
            _ step: RunStep,
            opened: [StateCommit.Creation],
            released: [BarrierKey],
            isCommitted: Bool,
            isOver: Bool,
            _ now: Moment
        ) {
            if isCommitted {
                for message in step.returned where held.removeValue(forKey: TextKey(message.messageID)) != nil {
                    count(message.actorName) { $0.held -= 1 }
                }
                // Of steps, which have one party, there are many; they are the tasks in flight.
                if state != .cancelled {
                    for creation in opened where creation.parties > 1 {
                        open.insert(TextKey(creation.barrier.key))
                    }
                }
                if !open.isEmpty { for barrier in released { open.remove(TextKey(barrier.key)) } }
                for task in step.added { count(task.actorName, isOfDefinition: true) { $0.total += task.count } }
                for sent in step.sent { count(sent.actorName) { $0.sent += sent.count } }
                for content in step.stored
                where contents.count < RunLimits.maxContents
                    && content.name.utf8.count <= RunLimits.maxContentNameLength
                { contents.insert(content) }
            }
            if let end = step.ended { note(end) }
            if isOver, !state.isEnded || state == .failed {
                end(.succeeded, now)
                open = []
            } else if step.ended?.failsRun ?? false, !state.isEnded {
                end(.failed, now)
            }
        }

        private mutating func end(_ state: RunState, _ now: Moment) {
            self.state = state
            if state != .failed, outline.utf8.count > RunLimits.maxEndedOutlineSize { outline = "" }
            ended = Date(milliseconds: Double(SystemClock.milliseconds()))
            // Of one that has failed something may still be requeued.
            expiry = state == .failed ? max(expiry, now + retention) : now + retention
        }

        private mutating func note(_ end: RunStep.TaskEnd) {
            if !failures.isEmpty, let earlier = failures.removeValue(forKey: TextKey(end.messageID)) {
                // It was among the dead letters and has come again.
                count(earlier.actorName) { $0.failed -= 1 }
            }
            switch end.outcome {
            case .succeeded: count(end.actorName) { $0.succeeded += 1 }
            case .skipped: count(end.actorName) { $0.skipped += 1 }
            case .failed:
                count(end.actorName) { $0.failed += 1 }
                failures[TextKey(end.messageID)] = RunStatus.Failure(end)
            }
        }

        /// Drops what was put aside.
        mutating func cancel(_ now: Moment) {
            end(.cancelled, now)
            for message in held.values {
                count(message.actorName) { counts in
                    counts.held -= 1
                    counts.skipped += 1
                }
            }
            held = [:]
            open = []
        }

        /// Whether nothing of it needs any more what is kept for it.
        var isOver: Bool { state == .succeeded || state == .cancelled && failures.isEmpty && isQuiet }

        /// Whether nothing of it is in a queue or being processed, as far as is known here.
        var isQuiet: Bool { tasks.values.allSatisfy { $0.inFlight == 0 } }

        func summary(_ id: String) -> RunSummary {
            RunSummary(
                id: id, name: name, labels: labels, state: state, started: started, ended: ended, taskCount: taskCount)
        }
    }

    private var runs: [TextKey: Run] = [:]
    /// All runs, in the order in which they began, those that were dropped included.
    private var order: [TextKey] = []
    /// Those that have ended, the earliest first.
    private var ended: Deque<TextKey> = []
    private var stopped: [TextKey: (state: RunState, expiry: Moment)] = [:]
    private var version = 0
    /// Which version workers keep to, and when they were heard.
    private var workers: [TextKey: (version: Int, heard: Moment)] = [:]
    private var sweepThreshold = 1024
    /// What is kept elsewhere for runs that need it no more.
    private var leftovers: [TextKey: Set<RunStep.Content>] = [:]
    /// The most runs whose leftovers are remembered: they are asked for at once, if at all.
    private static let maxLeftovers = 10_000

    /// - Parameters:
    ///   - opened: the barriers that were made in the same step.
    ///   - released: the barriers that were released in it.
    ///   - isCommitted: whether all of the step was done, or only the end of the delivery.
    mutating func apply(
        _ step: RunStep,
        opened: [StateCommit.Creation],
        released: [BarrierKey],
        isCommitted: Bool,
        _ now: Moment
    ) {
        let key = TextKey(step.id)
        let isOpen = opened.contains { $0.barrier.key.hasSameBytes(as: step.id) }
        if isCommitted, let beginning = step.beginning, !begin(key, beginning, opened, now) { return }
        guard let place = runs.index(forKey: key), runs.values[place].expiry > now else { return }
        // One that begins without a barrier has nothing to come.
        let isOver = released.contains { $0.key.hasSameBytes(as: step.id) } || step.beginning != nil && !isOpen
        let earlier = runs.values[place].state
        let stopExpiry = runs.values[place].expiry
        runs.values[place].apply(
            step, opened: opened, released: released, isCommitted: isCommitted, isOver: isOver && isCommitted, now)
        if isCommitted, step.cancels {
            _ = change(step.id, .cancel, barrierExpiry: nil, now)
            return
        }
        let run = runs.values[place]
        guard run.state.isEnded else { return }
        releaseContents(key, place)
        if run.state != earlier {
            version += 1
            stopped[key] = run.state == .failed ? (.failed, stopExpiry) : nil
            if !earlier.isEnded { noteEnd(key, run.maxEnded) }
        }
        if !stopped.isEmpty, run.state == .cancelled, run.isQuiet { stopped[key] = nil }
    }

    /// Whether nothing of a run is to come; `nil` if nothing is known of it.
    func isOver(_ id: String, _ now: Moment) -> Bool? {
        guard let run = runs[TextKey(id)], run.expiry > now else { return nil }
        return run.state == .succeeded || run.state == .cancelled
    }

    mutating func takeContents(of ids: [String]) -> [String] {
        ids.flatMap { (leftovers.removeValue(forKey: TextKey($0)) ?? []).map(\.name) }
    }

    /// A run that needs no more what is kept for it leaves it to who asks.
    private mutating func releaseContents(_ key: TextKey, _ place: Dictionary<TextKey, Run>.Index) {
        guard !runs.values[place].contents.isEmpty, runs.values[place].isOver else { return }
        if leftovers.count < Self.maxLeftovers { leftovers[key] = runs.values[place].contents }
        runs.values[place].contents = []
    }

    private mutating func noteEnd(_ key: TextKey, _ maxEnded: Int) {
        ended.append(key)
        for _ in 0..<max(0, ended.count - maxEnded) { runs[ended.removeFirst()] = nil }
    }

    /// - Returns: whether it was not there before. One that begins again was counted then.
    private mutating func begin(
        _ key: TextKey,
        _ beginning: RunStep.Beginning,
        _ opened: [StateCommit.Creation],
        _ now: Moment
    ) -> Bool {
        if let run = runs[key], run.expiry > now { return false }
        let ttl = opened.first { $0.barrier.key.hasSameBytes(as: key.text) }?.barrier.ttl ?? beginning.retention
        var run = Run(
            name: beginning.name, labels: beginning.labels,
            started: Date(milliseconds: Double(SystemClock.milliseconds())), retention: beginning.retention,
            maxEnded: beginning.maxEnded,
            taskCount: beginning.tasks.reduce(0) { $0 + $1.count }, callbacks: beginning.callbacks,
            groupCallbacks: beginning.groupCallbacks,
            outline: beginning.outline.utf8.count <= RunLimits.maxOutlineSize ? beginning.outline : "",
            expiry: now + ttl)
        for task in beginning.tasks { run.count(task.actorName, isOfDefinition: true) { $0.total += task.count } }
        runs[key] = run
        order.append(key)
        if order.count > sweepThreshold { sweep(now) }
        return true
    }

    /// A run is kept for as long as its barrier, and it is known for as long that it is stopped.
    mutating func keep(_ id: String, until expiry: Moment, _ now: Moment) {
        guard let place = runs.index(forKey: TextKey(id)), runs.values[place].expiry > now else { return }
        if !runs.values[place].state.isEnded { runs.values[place].expiry = max(runs.values[place].expiry, expiry) }
        if let stop = stopped[TextKey(id)] { stopped[TextKey(id)] = (stop.state, max(stop.expiry, expiry)) }
    }

    private mutating func sweep(_ now: Moment) {
        runs = runs.filter { $0.value.expiry > now }
        order = order.filter { runs[$0] != nil }
        ended = ended.filter { runs[$0] != nil }
        stopped = stopped.filter { $0.value.expiry > now }
        sweepThreshold = max(1024, order.count * 2)
    }

    mutating func removeAll() {
        self = InMemoryRuns()
    }

    // MARK: Stopping

    /// - Parameter barrierExpiry: until when the run's barrier is kept.
    mutating func change(
        _ id: String,
        _ transition: RunTransition,
        barrierExpiry: Moment?,
        _ now: Moment
    ) -> RunChange? {
        let key = TextKey(id)
        guard let place = runs.index(forKey: key), runs.values[place].expiry > now else { return nil }
        let run = runs.values[place]
        guard transition.isPossible(from: run.state) else { return RunChange(state: run.state, version: version) }
        version += 1
        switch transition {
        case .pause:
            runs.values[place].state = .paused
            stopped[key] = (.paused, run.expiry)
        case .resume:
            runs.values[place].state = .running
            stopped[key] = nil
        case .retry:
            revive(key, place, barrierExpiry)
        case .cancel:
            // What is on its way may come for as long as the run's barrier would have been there.
            let expiry = stopped[key]?.expiry ?? run.expiry
            runs.values[place].cancel(now)
            stopped[key] = runs.values[place].isQuiet ? nil : (.cancelled, expiry)
            releaseContents(key, place)
            if !run.state.isEnded { noteEnd(key, run.maxEnded) }
        }
        return RunChange(state: transition.target, version: version)
    }

    private mutating func revive(_ key: TextKey, _ place: Dictionary<TextKey, Run>.Index, _ barrierExpiry: Moment?) {
        runs.values[place].state = .running
        runs.values[place].ended = nil
        if let barrierExpiry { runs.values[place].expiry = max(runs.values[place].expiry, barrierExpiry) }
        stopped[key] = nil
        ended.removeAll { $0 == key }
    }

    mutating func stoppedRuns(since known: Int?, worker: String, announces: Bool, _ now: Moment) -> StoppedRuns {
        if announces || known == nil { workers[TextKey(worker)] = (known ?? version, now) }
        if known == version { return StoppedRuns(version: version, states: nil) }
        let states = stopped.filter { $0.value.expiry > now }.map { ($0.key.text, $0.value.state) }
        return StoppedRuns(version: version, states: Dictionary(states, uniquingKeysWith: { first, _ in first }))
    }

    mutating func forget(worker: String) {
        workers[TextKey(worker)] = nil
    }

    func versions(_ now: Moment) -> [String: Int] {
        let heard = workers.filter { $0.value.heard + RunLimits.workerPatience > now }
        return Dictionary(heard.map { ($0.key.text, $0.value.version) }, uniquingKeysWith: max)
    }

    mutating func hold(
        _ message: HeldMessage,
        of id: String,
        barrierExpiry: Moment?,
        _ now: Moment
    ) -> HoldOutcome {
        let key = TextKey(id)
        guard let place = runs.index(forKey: key), runs.values[place].expiry > now else { return .unknown }
        let hasFailed = runs.values[place].failures[TextKey(message.messageID)] != nil
        switch runs.values[place].state {
        case .paused: break
        case .running:
            // It was revived before, and then something went wrong.
            return hasFailed && !runs.values[place].held.isEmpty ? .revived : .running
        case .failed:
            if hasFailed {
                version += 1
                revive(key, place, barrierExpiry)
                return .revived
            }
        default: return .ended
        }
        if runs.values[place].held.updateValue(message, forKey: TextKey(message.messageID)) == nil {
            runs.values[place].count(message.actorName) { $0.held += 1 }
        }
        return .held
    }

    func failures(of id: String, from position: Int, limit: Int) -> (failures: [RunStatus.Failure], next: Int?) {
        guard let run = runs[TextKey(id)] else { return ([], nil) }
        let all = run.failures.values.sorted { $0.messageID < $1.messageID }
        let end = position + max(1, limit)
        return (Array(all.dropFirst(position).prefix(max(1, limit))), end < all.count ? end : nil)
    }

    func heldMessages(of id: String, limit: Int) -> [HeldMessage] {
        guard let run = runs[TextKey(id)] else { return [] }
        return Array(run.held.values.sorted { $0.since < $1.since }.prefix(max(1, limit)))
    }

    func callbacks(of id: String, group: Int?, _ now: Moment) -> RunCallbacks {
        guard let run = runs[TextKey(id)], run.expiry > now else { return RunCallbacks() }
        guard let group else { return run.callbacks }
        return run.groupCallbacks.indices.contains(group) ? run.groupCallbacks[group] : RunCallbacks()
    }

    /// The groups around tasks that have failed, by the tasks.
    func groups(ofFailures messageIDs: [String], in id: String) -> [(messageID: String, groups: [String])] {
        guard let run = runs[TextKey(id)] else { return [] }
        return messageIDs.compactMap { id in run.failures[TextKey(id)].map { (id, $0.groups) } }
    }

    /// What steps come to that are about the end of a run with callbacks; `nil` if they can be taken.
    func verdict(_ steps: StateCommit, _ now: Moment) -> StateCommit.Result? {
        guard let step = steps.run, steps.endsRun, let run = runs[TextKey(step.id)], run.expiry > now,
            step.decides || !run.callbacks.isEmpty
        else { return nil }
        let fails = step.ended?.failsRun ?? false
        let isOpen = !run.state.isEnded || !fails && run.state == .failed
        if step.decides { return isOpen ? nil : .alreadyReleased }
        return isOpen ? .opened : nil
    }

    /// Whether a step may be done that returns messages or cancels.
    func canTake(_ step: RunStep, _ now: Moment) -> Bool {
        if step.cancels { return runs[TextKey(step.id)].map { $0.expiry > now && !$0.state.isEnded } ?? false }
        if step.returned.isEmpty { return true }
        guard let run = runs[TextKey(step.id)], run.expiry > now, run.state == .running else { return false }
        return step.returned.allSatisfy { run.held[TextKey($0.messageID)] != nil }
    }

    // MARK: Reading

    /// - Parameter missing: how many are still to arrive at a barrier.
    func record(_ id: String, limit: Int, _ now: Moment, missing: (TextKey) -> Int) -> RunStatus? {
        guard let run = runs[TextKey(id)], run.expiry > now else { return nil }
        return RunStatus(
            run: run.summary(id),
            tasks: Dictionary(run.tasks.map { ($0.key.text, $0.value) }, uniquingKeysWith: +),
            openBarriers: run.open.prefix(max(0, limit)).map {
                RunStatus.OpenBarrier(key: $0.text, missing: missing($0))
            },
            openBarrierCount: run.open.count,
            failures: Array(run.failures.values.prefix(max(0, limit))),
            failureCount: run.failures.count,
            outline: run.outline)
    }

    func page(_ query: RunQuery, _ now: Moment) -> RunPage {
        let rest = order.reversed().dropFirst(query.offset)
        let found = rest.prefix(query.limit).compactMap { key -> RunSummary? in
            guard let run = runs[key], run.expiry > now else { return nil }
            let summary = run.summary(key.text)
            return query.includes(summary) ? summary : nil
        }
        return RunPage(runs: found, nextOffset: rest.count > query.limit ? query.offset + query.limit : nil)
    }
}

extension RunStatus.Failure {
    package init(_ end: RunStep.TaskEnd) {
        self.init(
            messageID: end.messageID, actorName: end.actorName,
            reason: PrintableText.escape(end.reason, limit: RunLimits.maxReasonLength), attempt: end.retries + 1,
            queueName: end.queueName, deadLetterID: end.deadLetterID, groups: end.groups)
    }
}
