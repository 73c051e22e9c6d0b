/// A middleware that has something to do beside a worker for as long as that works.
package protocol WorkerCompanion: Middleware {
    /// Runs until it is cancelled, which happens when the worker has processed all that it will, and then returns soon.
    func accompany(_ worker: Worker) async
}

extension Worker {
    /// The messages whose actors run.
    package var running: [DeliveredMessage] { slots.compactMap(\.running) }

    /// Looks at the delayed messages that the worker holds, in no order, and has it wait meanwhile.
    ///
    /// - Parameter body: is given the queue that a message was taken from, and its actor's name; `nil` if that is longer
    ///   than an actor's name would be.
    package func forEachDelayed(_ body: (_ queueName: String, _ actorName: String?) -> Void) {
        delayQueue.forEach { body($0.source.queueName, $0.actorName) }
    }

    /// Cancels the actor of a message, if it still runs. If the actor throws then, its message ends as is said.
    ///
    /// - Parameter ending: makes the message's end, by ``MessageContext/withhold(_:)``.
    package func cancel(
        _ message: DeliveredMessage,
        ending: @escaping @Sendable (inout MessageContext) -> Void
    ) {
        for slot in slots { slot.withdraw(message, ending) }
    }
}
