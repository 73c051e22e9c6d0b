import CoreMetrics
import Dramatiq
import Synchronization

/// A queue and an actor, which most figures are kept by.
struct ActorKey: Hashable, Sendable {
    let queueName: TextKey
    let actorName: TextKey

    init(queueName: String, actorName: String) {
        self.queueName = TextKey(queueName)
        self.actorName = TextKey(actorName)
    }
}

/// The figures of an actor's messages from one queue.
final class ActorFigures: Sendable {
    let key: ActorKey
    let messages: Counter
    let errors: Counter
    let retries: Counter
    let rejects: Counter
    let inProgress: Meter
    let delayedInProgress: Meter
    let duration: Recorder
    let skips: Counter
    let redeliveries: Counter
    let hops: Recorder
    private let factory: any MetricsFactory
    private let deadLetters = Mutex<[FailureKind: Counter]>([:])

    init(_ key: ActorKey, _ factory: any MetricsFactory) {
        let (queue, actor) = (key.queueName.text, key.actorName.text)
        self.key = key
        self.factory = factory
        messages = MetricDefinition.messages.counter(factory, queue, actor)
        errors = MetricDefinition.errors.counter(factory, queue, actor)
        retries = MetricDefinition.retries.counter(factory, queue, actor)
        rejects = MetricDefinition.rejects.counter(factory, queue, actor)
        inProgress = MetricDefinition.inProgress.gauge(factory, queue, actor)
        delayedInProgress = MetricDefinition.delayedInProgress.gauge(factory, queue, actor)
        duration = MetricDefinition.duration.histogram(factory, queue, actor)
        skips = MetricDefinition.skips.counter(factory, queue, actor)
        redeliveries = MetricDefinition.redeliveries.counter(factory, queue, actor)
        hops = MetricDefinition.hops.histogram(factory, queue, actor)
    }

    func isOf(queue: String, actor: String) -> Bool {
        key.actorName.text.hasSameBytes(as: actor) && key.queueName.text.hasSameBytes(as: queue)
    }

    func countDeadLetter(_ kind: FailureKind) {
        rejects.increment()
        let counter = deadLetters.withLock { counters in
            if let known = counters[kind] { return known }
            let new = MetricDefinition.deadLetters.counter(
                factory, key.queueName.text, key.actorName.text, kind.description)
            counters[kind] = new
            return new
        }
        counter.increment()
    }
}

/// The figures of all actors, made when they are first wanted.
///
/// A message comes from outside and can name any queue and any actor. So whoever asks names the queue that a worker takes
/// from, and an actor that is not declared is called ``undeclared``: what is declared bounds how many there are.
final class FigureTable: Sendable {
    /// No actor's name that anybody would choose.
    static let undeclared = "(undeclared)"

    let factory: any MetricsFactory
    private let figures = Mutex<[ActorKey: ActorFigures]>([:])
    private let declared = Mutex<Set<TextKey>>([])

    init(_ factory: any MetricsFactory) {
        self.factory = factory
    }

    /// Makes an actor known, so that its figures are there from the beginning, as zeros.
    func declare(_ actor: any AnyTaskActor) {
        declared.withLock { _ = $0.insert(TextKey(actor.name)) }
        _ = figures(queue: actor.queueName, declaredActor: actor.name)
    }

    /// - Parameters:
    ///   - queue: one that a worker takes from. That of its delayed messages stands for the queue itself.
    ///   - actor: a name from anywhere.
    func figures(queue: String, actor: String?) -> ActorFigures {
        let isDeclared = actor.map { name in declared.withLock { $0.contains(TextKey(name)) } } ?? false
        return figures(queue: queue, declaredActor: isDeclared ? actor ?? Self.undeclared : Self.undeclared)
    }

    private func figures(queue: String, declaredActor actor: String) -> ActorFigures {
        let key = ActorKey(queueName: QueueName.canonical(queue), actorName: actor)
        return figures.withLock { figures in
            if let known = figures[key] { return known }
            let new = ActorFigures(key, factory)
            figures[key] = new
            return new
        }
    }

    var all: [ActorFigures] { figures.withLock { Array($0.values) } }
}
