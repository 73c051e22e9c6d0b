public import Dramatiq
import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Moves workflows on: after a task has succeeded, starts what was waiting for it.
///
///     let broker = Broker(
///         transport: transport,
///         middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: InMemoryRateLimiterBackend())])
///
/// What comes next is committed together with the acknowledgement of the task's message. Arrivals at a barrier are
/// recorded by message id, so a message that is delivered again changes nothing. If a step fails (storage, backend),
/// the message is not acknowledged; the step is repeated, and at last the message becomes a dead letter with the
/// reason: requeue it once the cause is gone, and the workflow goes on.
public struct WorkflowMiddleware: BeforeAck, BeforeNack, BeforeWorkerBoot, SelectiveMiddleware, StartupCheck {
    /// The option in which messages carry their callbacks.
    public static let callbacksOption = CallbackFormat.option
    /// How long barriers live unless said otherwise: a day, as in dramatiq-workflow.
    public static let defaultBarrierTTL: Duration = .milliseconds(86_400_000)
    /// How long a message may wait in its queue unless said otherwise: two weeks.
    public static let defaultLongestWait: Duration = .seconds(14 * 86_400)

    /// Does nothing; takes the place of an empty chain or group that has a delay, in a queue of its workflow. Python's
    /// stands in `default`.
    static let noop = TaskActor("workflow_noop") {}

    /// Keeps the barriers. The workers of a workflow must share it.
    public let backend: any StateStore
    /// How barriers are kept.
    public let barriers: BarrierStyle
    public let callbackStorage: any CallbackStorage
    /// Whether the storage keeps anything elsewhere than in the messages.
    let storesContents: Bool
    /// What becomes of a workflow when one of its tasks fails for good or is skipped.
    public let onFailure: WorkflowFailurePolicy
    /// How long barriers are kept beyond the time for which what can arrive at them may wait.
    public let barrierTTL: Duration
    /// The longest time that a message may wait in its queue until a worker takes it.
    public let longestWait: Duration
    /// Whether what becomes of a workflow is kept, for its handle.
    public let tracking: RunTracking
    /// The runs of which nothing is to start here.
    let stopped = StoppedRunList()
    /// The runs of which something may have to be removed.
    let cleanup = RunCleanup()

    /// - Parameters:
    ///   - backend: keeps the barriers.
    ///   - barriers: how they are kept. Defaults to ``BarrierStyle/atMostOnce``, as in dramatiq-workflow.
    ///   - callbackStorage: keeps what messages must know about their workflow. Defaults to the messages themselves.
    ///   - onFailure: what becomes of a workflow when one of its tasks fails for good or is skipped. Defaults to
    ///     ``WorkflowFailurePolicy/failFast``.
    ///   - barrierTTL: how long barriers are kept beyond the time for which what can arrive at them may wait; longer
    ///     than the longest task runs. Defaults to a day, as in dramatiq-workflow.
    ///   - longestWait: the longest time that a message may wait in its queue until a worker takes it; its delays,
    ///     retries and time as a dead letter apart, which are known. Defaults to two weeks.
    ///   - tracking: whether what becomes of the workflows that are started here is kept. Defaults to a week beyond their
    ///     end, if the backend keeps runs.
    public init(
        backend: any StateStore,
        barriers: BarrierStyle = .atMostOnce,
        callbackStorage: any CallbackStorage = InlineCallbackStorage(),
        onFailure: WorkflowFailurePolicy = .failFast,
        barrierTTL: Duration = WorkflowMiddleware.defaultBarrierTTL,
        longestWait: Duration = WorkflowMiddleware.defaultLongestWait,
        tracking: RunTracking = .enabled
    ) {
        self.backend = backend
        self.barriers = barriers
        self.callbackStorage = callbackStorage
        storesContents = !(callbackStorage is InlineCallbackStorage)
        self.onFailure = onFailure
        self.barrierTTL = max(.zero, barrierTTL)
        self.longestWait = max(.zero, longestWait)
        self.tracking = tracking
    }

    public var actorOptions: Set<String> { [WorkflowFailurePolicy.optionName] }
    public var servedOptions: [ServedOption] {
        [
            ServedOption(CallbackFormat.option),
            ServedOption(TakenResults.option),
            ServedOption(WorkflowFailurePolicy.optionName) { value in
                try WorkflowFailurePolicy(value)?.address.map { [$0] } ?? []
            },
        ]
    }
    public var targets: [String: ActorAddress] { onFailure.address.map { ["onFailure": $0] } ?? [:] }
    public var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

    package func isConcerned(_ context: MessageContext) -> Bool {
        if context.result.note != nil { return true }
        guard context.delivered.hasOptions else { return false }
        let options = context.delivered.message.options
        if options.has(CallbackFormat.option) { return true }
        return options.has(Pipeline.targetOption) && context.delivered.message.workflowTies != nil
    }

    public func beforeWorkerBoot(_ worker: Worker) async throws {
        if worker.broker.actor(named: Self.noop.name) == nil { try await worker.broker.declare(Self.noop) }
        // Before it takes anything.
        try await update(worker)
    }

    // MARK: Starting

    /// Everything that starting a workflow means.
    func prepare(_ workflow: Workflow) async throws -> (commit: Commit, runID: String) {
        let broker = workflow.broker
        let groups = try NumberedGroups(workflow.root)
        let beginning = try beginning(workflow, groups)
        var mark = ""
        if let policy = workflow.failurePolicy {
            guard beginning != nil, let text = policy.runMark else { throw WorkflowError.untrackedPolicy(policy) }
            mark = text
        }
        let id = barrierKeyPrefix(broker) + UniqueID.make() + mark + RunStep.idSuffix
        let root = groups.root.usesResults ? try resolvingResults(groups.root, workflow.broker) : groups.root
        let plan = try WorkflowPlan(
            starting: .node(root), inRun: beginning == nil ? nil : id, identities: .random,
            makeCompletionID: { [prefix = barrierKeyPrefix(broker)] in prefix + UniqueID.make() })
        var envelopes: [Envelope] = []
        envelopes.reserveCapacity(plan.tasks.count)
        var stored: [RunStep.Content] = []
        for task in plan.tasks {
            stored += try await store(task.frame)
            let message = message(for: task)
            let delay = Self.duration(task.delay)
            if let envelope = broker.envelopeNow(message, delay: delay) {
                envelopes.append(envelope)
            } else {
                envelopes.append(try await broker.envelope(message, delay: delay))
            }
        }
        let creations = creations(plan)
        if let beginning, creations.isEmpty, !beginning.callbacks.isEmpty {
            // Nothing is to come, so it has ended by then.
            let summary = RunSummary(
                id: id, name: workflow.name, labels: workflow.labels, state: .succeeded, started: .now, ended: .now,
                taskCount: 0)
            let status = RunStatus(
                run: summary, tasks: [:], openBarriers: [], openBarrierCount: 0, failures: [], failureCount: 0)
            for message in try messages(beginning.callbacks, RunReport(status, .succeeded, failing: nil)) {
                envelopes.append(try await broker.envelope(message, delay: nil))
            }
        }
        var state = creations.isEmpty && beginning == nil ? nil : StateCommit(store: backend, creations: creations)
        if let beginning {
            state?.run = RunStep(id: id, index: runIndex(broker), beginning: beginning, sent: plan.taskCounts)
            state?.run?.stored = stored
        }
        return (Commit(sends: Envelopes(envelopes), state: state), id)
    }

    /// What is noted of a run when it begins; `nil` if it isn't tracked.
    private func beginning(_ workflow: Workflow, _ groups: NumberedGroups) throws -> RunStep.Beginning? {
        let isTracked = tracking.isEnabled && backend.runStore != nil
        let callbacks = try callbacks(workflow, groups: groups.callbacks, isTracked: isTracked)
        guard isTracked else {
            if let policy = groups.firstPolicy { throw WorkflowError.untrackedPolicy(policy) }
            return nil
        }
        if groups.collects, barriers != .atMostOnce { throw WorkflowError.collectingPlainBarriers }
        try RunTracking.check(workflow)
        return RunStep.Beginning(
            name: workflow.name, labels: workflow.labels,
            tasks: RunStep.TaskCount.counts(workflow.walkMessages().lazy.map(\.taskActorName)),
            retention: tracking.retention, maxEnded: tracking.maxEnded, callbacks: callbacks.run,
            groupCallbacks: callbacks.groups,
            outline: WorkflowDiagram.outline(of: workflow.root))
    }

    /// What the keys of the lists of runs begin with.
    func runIndex(_ broker: Broker) -> String {
        let prefix = barrierKeyPrefix(broker)
        var namespace = broker.transport.traits.namespace
        if namespace.isEmpty { namespace = "dramatiq" }
        // Beside the barriers, also where the transport's names don't lead there.
        return (namespace.hasBytePrefix(prefix) ? namespace : prefix + namespace) + ":__runs__"
    }

    /// What a task's end means for the run that it belongs to; `nil` if it belongs to none.
    func runStep(
        _ context: MessageContext,
        _ callbacks: [CompletionCallback],
        _ party: String,
        _ outcome: RunStep.TaskEnd.Outcome,
        _ reason: String = "",
        failingRun failsRun: Bool = false
    ) -> RunStep? {
        guard let run = callbacks.first, run.isRun, backend.runStore != nil else { return nil }
        let message = context.delivered.message
        var end = RunStep.TaskEnd(actorName: message.taskActorName, messageID: party, outcome: outcome, reason: reason)
        if outcome != .succeeded {
            end.retries = max(0, min(message.options.value("retries")?.intValue ?? 0, 1 << 30))
            end.queueName = context.delivered.delivery.queueName
            end.deadLetterID = message.transportID
            end.groups = callbacks.lazy.map(\.completionID).filter { $0.hasByteSuffix(BarrierKey.groupSuffix) }
        }
        end.failsRun = failsRun
        return RunStep(id: run.completionID, index: failsRun ? runIndex(context.broker) : "", ended: end)
    }

    private func message(for task: WorkflowPlan.Task) -> Message {
        var message = task.message
        // The time when it was made says nothing about how long it waited in a queue.
        message.messageTimestamp = .fractionalNow
        message.setCallbacks(task.frame?.reference, run: task.frame?.runOption)
        return message
    }

    func creations(_ plan: WorkflowPlan) -> [StateCommit.Creation] {
        plan.barriers.map { frame in
            StateCommit.Creation(
                barrier: barrierKey(frame.completionID, keptFor: .milliseconds(frame.longestDelay)),
                parties: frame.parties)
        }
    }

    /// A barrier as it has to be kept for a message that is sent, or put aside.
    ///
    /// Whoever sends a message or puts it aside keeps its barriers in the same commit: for as long as it is put aside,
    /// and then may wait in its queue, and then may run. So no barrier's time runs out while something can still arrive
    /// at it.
    ///
    /// - Parameter wait: for how long the message is put aside before it waits in its queue.
    func barrierKey(_ completionID: String, keptFor wait: Duration = .zero) -> BarrierKey {
        barriers.key(completionID, ttl: Self.limited(wait) + longestWait + barrierTTL)
    }

    /// A wait that others can be added to.
    private static func limited(_ wait: Duration) -> Duration { min(wait, .seconds(100 * 365 * 86_400)) }

    static func duration(_ milliseconds: Int) -> Duration? {
        milliseconds > 0 ? .milliseconds(milliseconds) : nil
    }

    // MARK: Going on

    public func beforeAck(_ context: inout MessageContext) async throws {
        guard context.delivered.hasOptions || context.result.note != nil else { return }
        let message = context.delivered.message
        if context.isSuccess {
            if context.result.note != nil, try await startsAdded(&context) { return }
            if let reference = message.ownCallbacks {
                return try await advance(
                    &context, Message.WorkflowTies(reference: reference, party: message.messageID), .succeeded)
            }
            // The next message of its pipeline has them.
            guard let ties = message.workflowTies else { return }
            let delay = context.sends.reduce(Duration.zero) { max($0, $1.delay ?? .zero) }
            return try await keep(&context, ties, for: delay)
        }
        guard let ties = message.workflowTies else { return }
        if context.isSkipped {
            try await applyFailurePolicy(&context, ties, "The task was skipped")
        } else if let retry = context.retry {
            try await keep(&context, ties, for: retry.delay ?? .zero)
        } else if let error = context.error {
            // Nobody tries it again, so what waits for it would wait for ever.
            context.fail("\(error)")
        }
    }

    public func beforeNack(_ context: inout MessageContext) async throws {
        guard let ties = context.delivered.message.workflowTies else { return }
        try await applyFailurePolicy(&context, ties, context.failureReason ?? "The task failed")
    }

    func callbacks(_ ties: Message.WorkflowTies) async throws -> [CompletionCallback] {
        if let callbacks = try callbackStorage.retrieveNow(ties.reference) { return callbacks }
        return try await callbackStorage.retrieve(ties.reference)
    }

    func advance(
        _ context: inout MessageContext,
        _ ties: Message.WorkflowTies,
        _ outcome: RunStep.TaskEnd.Outcome,
        _ reason: String = ""
    ) async throws {
        do {
            let callbacks = try await callbacks(ties, of: context.delivered.message)
            let run = runStep(context, callbacks, ties.party, outcome, reason)
            try await advance(&context, Arrival(callbacks: callbacks[...], party: ties.party, run: run))
        } catch is RunIsOver {
            // It has come once more.
            context.state = nil
        }
    }

    /// Keeps what a message needs that is put aside.
    ///
    /// - Parameters:
    ///   - failure: why it has failed for good, if it has.
    ///   - failingRun: whether its run has failed with it.
    func keep(
        _ context: inout MessageContext,
        _ ties: Message.WorkflowTies,
        for wait: Duration,
        failure: String? = nil,
        failingRun: Bool = false
    ) async throws {
        var run: RunStep?
        do {
            let callbacks = try await callbacks(ties)
            try await callbackStorage.refresh(ties.reference, for: wait)
            let refreshes = callbacks.map { barrierKey($0.completionID, keptFor: wait) }
            run = failure.flatMap {
                runStep(context, callbacks, ties.party, .failed, $0, failingRun: failingRun)
            }
            context.state = StateCommit(store: backend, refreshes: refreshes, run: run)
        } catch {
            if (error as? any TransientError)?.isTransient ?? false { throw error }
            // What is kept anyway lasts for a while, and may be mended by then; the message must not be lost for it.
            context.broker.logger.warning(
                "What a message's workflow needs can't be renewed while the message waits",
                metadata: [
                    "message_id": "\(context.message.messageID)",
                    "actor_name": "\(context.message.actorName)",
                    "error": "\(error)",
                ])
        }
        try await announceFailure(run, &context)
    }

    /// How far somebody has come on the way from the innermost barrier outwards.
    struct Arrival: Sendable {
        /// The entries that were not looked at yet.
        var callbacks: ArraySlice<CompletionCallback>
        /// Who arrives at the next barrier: the message, or the part of the workflow that it has completed.
        var party: String
        /// The barriers that are complete.
        var releases: [BarrierKey] = []
        var creations: [StateCommit.Creation] = []
        /// Outer barriers of what is sent.
        var refreshes: [BarrierKey] = []
        /// What it means for the run.
        var run: RunStep?
    }

    /// Adds to the commit what the arrival leads to, up to the next barrier that only its backend can judge.
    func advance(_ context: inout MessageContext, _ arrival: Arrival) async throws {
        var arrival = arrival
        guard let callback = arrival.callbacks.popLast() else {
            context.state = StateCommit(
                store: backend, releases: arrival.releases, creations: arrival.creations, refreshes: arrival.refreshes,
                run: arrival.run)
            return
        }
        // What a chain's step is followed by can be sent along with the arrival that opens its barrier. A run's barrier has
        // one party, too, and nothing follows it.
        var releasesAtOnce = arrival.callbacks.isEmpty && arrival.run != nil
        if !callback.propagates { releasesAtOnce = try await start(callback, &context, &arrival) }
        if releasesAtOnce {
            if callback.propagates { arrival.run?.index = runIndex(context.broker) }
            release(&context, arrival, barrierKey(callback.completionID))
            if callback.propagates {
                context.whenBarrierOpens = { try await announceEnd(ofRun: .succeeded, &$0) }
            }
        } else {
            arrive(&context, arrival, callback)
        }
    }

    /// Adds to the commit the tasks that a callback's workflow starts with. Returns whether there are any.
    private func start(
        _ callback: CompletionCallback,
        _ context: inout MessageContext,
        _ arrival: inout Arrival
    ) async throws -> Bool {
        guard let remaining = callback.remaining else { return false }
        let (workflow, origin) = try await open(remaining, ofRun: arrival.callbacks.first)
        let plan = try WorkflowPlan(
            starting: .json(workflow), of: origin,
            outer: Array(arrival.callbacks),
            after: context.delivered.message.queueName,
            identities: .derived,
            makeCompletionID: derivedIDs(from: callback.completionID, context.broker)
        )
        let stored = try await send(plan, &context)
        arrival.creations += creations(plan)
        arrival.run?.stored += stored
        arrival.run?.sent += plan.taskCounts
        if !plan.tasks.isEmpty {
            let delay = Duration.milliseconds(plan.longestDelay)
            arrival.refreshes = arrival.callbacks.map { barrierKey($0.completionID, keptFor: delay) }
        }
        return plan.completionCount == 0
    }

    /// Adds to the commit the tasks that a plan starts with.
    ///
    /// - Returns: what was stored for their run alone.
    func send(_ plan: WorkflowPlan, _ context: inout MessageContext) async throws -> [RunStep.Content] {
        var stored: [RunStep.Content] = []
        for task in plan.tasks {
            stored += try await store(task.frame)
            let message = message(for: task)
            let delay = Self.duration(task.delay)
            if !context.enqueueSuccessorNow(message, delay: delay) {
                try await context.enqueueSuccessor(message, delay: delay)
            }
        }
        return stored
    }

    /// Arrives at a barrier. Only if that completes it, what comes after it is worked out.
    private func arrive(_ context: inout MessageContext, _ arrival: Arrival, _ callback: CompletionCallback) {
        let barrier = barrierKey(callback.completionID)
        context.state = StateCommit(
            store: backend,
            arrival: StateCommit.Arrival(barrier: barrier, party: arrival.party, releases: false),
            releases: arrival.releases,
            creations: arrival.creations,
            refreshes: arrival.refreshes,
            run: arrival.run
        )
        var next = arrival
        next.releases.append(barrier)
        next.party = callback.completionID
        context.whenBarrierOpens = { [next] context in
            var next = next
            if let mark = GroupMark(callback.completionID), let run = next.run {
                let group = OpenGroup(mark, barrier, outer: next.callbacks, run)
                if try await hasFailed(group, with: nil) {
                    return try await fail(group, with: nil, &context)
                }
                try await announceEnd(ofGroup: callback.completionID, .succeeded, &context)
            }
            do {
                if callback.propagates { _ = try await start(callback, &context, &next) }
                try await advance(&context, next)
            } catch is RunIsOver {
                context.state = nil
            }
        }
    }

    /// Arrives at the barrier of a chain's step and releases it, in one.
    private func release(_ context: inout MessageContext, _ arrival: Arrival, _ barrier: BarrierKey) {
        context.state = StateCommit(
            store: backend,
            arrival: StateCommit.Arrival(barrier: barrier, party: arrival.party, releases: true),
            releases: arrival.releases,
            creations: arrival.creations,
            refreshes: arrival.refreshes,
            run: arrival.run
        )
    }

    /// The same ids whenever a step is repeated.
    func derivedIDs(from completionID: String, _ broker: Broker) -> () -> String {
        let prefix = barrierKeyPrefix(broker)
        var count = 0
        return {
            count += 1
            return prefix + UniqueID.derived(from: completionID, count)
        }
    }

    /// What new completion ids begin with. They are the keys of barriers as they are, so servers that keep keys apart
    /// can tell from it where they belong. Ids that others have made are taken as they are.
    private func barrierKeyPrefix(_ broker: Broker) -> String {
        let prefix = broker.transport.traits.barrierKeyPrefix
        return prefix.isEmpty ? backend.barrierKeyPrefix : prefix
    }

    package func verifyAccess(_ broker: Broker) async throws {
        try await backend.verifyAccess(barrierKeyPrefix: barrierKeyPrefix(broker))
    }
}
