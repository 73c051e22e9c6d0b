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
        var state = RunState.running
        var ended: Date?
        var expiry: Moment
        var tasks: [TextKey: RunTaskCounts] = [:]
        var open: Set<TextKey> = []
        var failures: [TextKey: RunStatus.Failure] = [:]

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
                // Of steps, which have one party, there are many; they are the tasks in flight.
                for creation in opened where creation.parties > 1 { open.insert(TextKey(creation.barrier.key)) }
                if !open.isEmpty { for barrier in released { open.remove(TextKey(barrier.key)) } }
                for sent in step.sent { count(sent.actorName) { $0.sent += sent.count } }
            }
            if let end = step.ended { note(end) }
            guard isOver, !state.isEnded else { return }
            state = .succeeded
            ended = Date(milliseconds: Double(SystemClock.milliseconds()))
            expiry = now + retention
            open = []
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
    private var sweepThreshold = 1024

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
        let wasEnded = runs.values[place].state.isEnded
        runs.values[place].apply(
            step, opened: opened, released: released, isCommitted: isCommitted, isOver: isOver && isCommitted, now)
        guard runs.values[place].state.isEnded, !wasEnded else { return }
        ended.append(key)
        for _ in 0..<max(0, ended.count - runs.values[place].maxEnded) { runs[ended.removeFirst()] = nil }
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
            taskCount: beginning.tasks.reduce(0) { $0 + $1.count }, expiry: now + ttl)
        for task in beginning.tasks { run.count(task.actorName, isOfDefinition: true) { $0.total += task.count } }
        runs[key] = run
        order.append(key)
        if order.count > sweepThreshold { sweep(now) }
        return true
    }

    /// A run is kept for as long as its barrier.
    mutating func keep(_ id: String, until expiry: Moment, _ now: Moment) {
        guard let place = runs.index(forKey: TextKey(id)), runs.values[place].expiry > now else { return }
        if !runs.values[place].state.isEnded { runs.values[place].expiry = max(runs.values[place].expiry, expiry) }
    }

    private mutating func sweep(_ now: Moment) {
        runs = runs.filter { $0.value.expiry > now }
        order = order.filter { runs[$0] != nil }
        ended = ended.filter { runs[$0] != nil }
        sweepThreshold = max(1024, order.count * 2)
    }

    mutating func removeAll() {
        self = InMemoryRuns()
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
            failureCount: run.failures.count)
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
    init(_ end: RunStep.TaskEnd) {
        self.init(
            messageID: end.messageID, actorName: end.actorName,
            reason: PrintableText.escape(end.reason, limit: RunLimits.maxReasonLength), attempt: end.retries + 1)
    }
}
