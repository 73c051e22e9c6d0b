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

    let traits = TransportTraits(isImmediate: true)
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

    func declare(queue name: String) async throws {}

    func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
        throw HasNoConsumers()
    }

    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        commits.map { commit in
            queue.withLock { queue in
                queue.messages += commit.sends.map(\.message)
                queue.messages += commit.successors.map(\.message)
            }
            return .success(CommitResult(.committed))
        }
    }
}
