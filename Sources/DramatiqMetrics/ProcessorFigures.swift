import CoreMetrics
import Dramatiq
import DramatiqWorkflow

/// Counts what one processor does. It has one message at a time, so nothing here needs a lock.
final class ProcessorFigures: AttemptWatch, @unchecked Sendable {
    private let table: FigureTable
    private var stopwatch = Stopwatch()
    /// Those of the message that is processed, or of the last one: most come after one of the same actor.
    private var current: ActorFigures?
    private var known: [ActorKey: ActorFigures] = [:]

    init(_ table: FigureTable) {
        self.table = table
    }

    func attemptWillBegin(_ context: MessageContext) {
        let figures = figures(context)
        if context.isRedelivered { figures.redeliveries.increment() }
        if context.delivered.hasOptions { recordHop(context, figures) }
        stopwatch = Stopwatch()
    }

    func attemptDidEnd(_ context: MessageContext) {
        guard let current else { return }
        current.duration.record(stopwatch.milliseconds)
        current.messages.increment()
        if context.error != nil { current.errors.increment() }
        if context.isSkipped { current.skips.increment() }
    }

    private func figures(_ context: MessageContext) -> ActorFigures {
        let (queue, actor) = (context.delivered.delivery.queueName, context.delivered.actor.name)
        if let current, current.isOf(queue: queue, actor: actor) { return current }
        let key = ActorKey(queueName: queue, actorName: actor)
        let figures = known[key] ?? table.figures(queue: queue, actor: actor)
        known[key] = figures
        current = figures
        return figures
    }

    /// A workflow gives its tasks the time when it sends them, whichever language it runs in.
    private func recordHop(_ context: MessageContext, _ figures: ActorFigures) {
        let message = context.delivered.message
        guard message.options.has(WorkflowMiddleware.callbacksOption), !message.options.has("retries"),
            !context.isRedelivered
        else { return }
        // The clocks of two machines can be apart.
        let hop = max(0, SystemClock.fractionalMilliseconds() - message.messageTimestamp.milliseconds)
        if hop.isFinite { figures.hops.record(hop) }
    }
}
