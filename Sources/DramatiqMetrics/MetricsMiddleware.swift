public import CoreMetrics
public import Dramatiq
public import DramatiqWorkflow
import Synchronization

/// Counts what becomes of a broker's messages, through swift-metrics, under the names that dramatiq has for it.
///
///     let metrics = MetricsMiddleware(factory: prometheus)
///     let broker = Broker(transport: transport, middleware: [metrics] + Broker.defaultMiddleware)
///
/// Its place in the list doesn't matter. ``MetricDefinition/all`` lists the figures. Of dramatiq's:
///
/// - `queue_name` is the queue that a worker took the message from, and `actor_name` that of a declared actor. All others
///   count as `(undeclared)`, so messages from outside can't make labels.
/// - A message is counted once for each attempt at it. What goes back to its queue because a worker shuts down was none.
/// - Every error that an actor throws is one, whatever follows from it, also one that only asks to be tried again.
/// - A retry is counted once, for its queue. Python counts one that is delayed twice, the first time for its delay queue.
/// - What is in progress and what is delayed is counted at an interval, so the figures can't drift; both become 0 when the
///   worker ends.
/// - Durations are milliseconds with a fraction, for histograms with dramatiq's ``MetricDefinition/buckets``: set them at the
///   factory if it can't know them.
///
/// Encoders and storages are measured by ``MeasuredEncoder`` and ``MeasuredWorkflowStore`` around them.
public struct MetricsMiddleware: AttemptObserver, AfterNack, AfterNackUnread, AfterDeclareActor, CommitObserver,
    SettlementObserver, WorkerCompanion
{
    /// How often gauges are set unless said otherwise: every five seconds.
    public static let defaultInterval = Duration.seconds(5)

    /// How often gauges are set while a worker runs: what is in progress, what is delayed, how the queues do.
    public let interval: Duration
    /// Whether the transport is asked how the queues do that the worker takes from.
    public let watchesQueues: Bool
    let caches: [WorkflowCache]
    let table: FigureTable
    let samples = SampleTable()
    private let settlements: Recorder
    private let barriersCreated: Counter
    private let barriersReleased: Counter
    private let barriersLost: Counter
    let cacheFigures: CacheFigures

    /// - Parameters:
    ///   - factory: makes the figures. Defaults to the one of `MetricsSystem`.
    ///   - interval: how often gauges are set while a worker runs, at least a millisecond. Defaults to five seconds.
    ///   - watchesQueues: whether the transport is asked at each interval how the queues do that the worker takes from: a
    ///     few commands for each queue and worker. Defaults to `true`; of a transport that can't tell there are no figures.
    ///   - caches: the caches of stored workflows that are counted, together. Defaults to the one that all storages share
    ///     that were given no other.
    public init(
        factory: any MetricsFactory = MetricsSystem.factory,
        interval: Duration = MetricsMiddleware.defaultInterval,
        watchesQueues: Bool = true,
        caches: [WorkflowCache] = [.shared]
    ) {
        self.interval = max(.milliseconds(1), interval)
        self.watchesQueues = watchesQueues
        self.caches = caches
        table = FigureTable(factory)
        settlements = MetricDefinition.settlements.histogram(factory)
        barriersCreated = MetricDefinition.barriersCreated.counter(factory)
        barriersReleased = MetricDefinition.barriersReleased.counter(factory)
        barriersLost = MetricDefinition.barriersLost.counter(factory)
        cacheFigures = CacheFigures(caches, factory)
    }

    public func afterDeclareActor(_ actor: any AnyTaskActor, broker: Broker) throws {
        table.declare(actor)
    }

    public func attemptWatch() -> any AttemptWatch { ProcessorFigures(table) }

    // MARK: Commits

    public func didSettle(commits count: Int, after latency: Duration) {
        settlements.record(latency.fractionalMilliseconds)
    }

    public func didCommit(_ commit: Commit, _ result: CommitResult) {
        if commit.isPlainAcknowledgement || result.status == .opened { return }
        countRetries(commit)
        guard result.status == .committed, let state = commit.state else { return }
        if !state.creations.isEmpty { barriersCreated.increment(by: state.creations.count) }
        let released = state.releases.count + (state.arrival?.releases == true ? 1 : 0)
        if released > 0 { barriersReleased.increment(by: released) }
    }

    private func countRetries(_ commit: Commit) {
        // One that was delayed is sent once more when it is due.
        guard let end = commit.end, !QueueName.isDelayed(end.delivery.queueName) else { return }
        for envelope in commit.sends where envelope.message.options.has("retries") {
            table.figures(queue: end.delivery.queueName, actor: envelope.message.actorName).retries.increment()
        }
    }

    // MARK: Dead letters

    public func afterNack(_ context: MessageContext) {
        let kind = context.failureKind ?? .declared
        if kind == .barrierLost { barriersLost.increment() }
        table.figures(queue: context.delivered.delivery.queueName, actor: context.message.actorName)
            .countDeadLetter(kind)
    }

    public func afterNackUnread(_ delivery: Delivery, reason: String, kind: FailureKind) {
        table.figures(queue: delivery.queueName, actor: nil).countDeadLetter(kind)
    }
}
