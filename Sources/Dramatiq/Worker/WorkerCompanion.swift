/// A middleware that has something to do beside a worker for as long as that works.
package protocol WorkerCompanion: Middleware {
    /// Runs until it is cancelled, which happens when the worker has processed all that it will, and then returns soon.
    func accompany(_ worker: Worker) async
}

extension Worker {
    /// The messages whose actors run.
    package var running: [DeliveredMessage] { slots.compactMap(\.running) }

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
