import Dramatiq
import Synchronization

/// Takes what a workflow sends and gives it back, in order.
final class RehearsalTransport: Transport {
    /// Nobody consumes from it: messages are taken with ``next()``.
    struct HasNoConsumers: Error {}

    private struct Queue {
        var messages: [Message] = []
        var position = 0
    }

    private let queue = Mutex(Queue())

    /// The message that was sent first of those that were not taken.
    func next() -> Message? {
        queue.withLock { queue in
            guard queue.position < queue.messages.count else {
                queue = Queue()
                return nil
            }
            let message = queue.messages[queue.position]
            // What was taken is kept no longer: a large workflow's messages hold a lot.
            queue.messages[queue.position] = Message(queueName: "", actorName: "", messageID: "")
            queue.position += 1
            return message
        }
    }

    func add(_ envelopes: [Envelope]) {
        queue.withLock { $0.messages += envelopes.map(\.message) }
    }

    func declare(queue name: String) async throws {}

    func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws {
        if let barriers { _ = try await barriers.backend.commit(barriers) }
        add(envelopes)
    }

    func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer { throw HasNoConsumers() }

    func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult {
        throw HasNoConsumers()
    }
}
