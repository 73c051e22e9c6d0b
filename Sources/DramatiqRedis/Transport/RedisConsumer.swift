import Dramatiq
import Synchronization

/// Takes messages from a queue as they come.
final class RedisConsumer: TransportConsumer, LossAware {
    let source: RedisMessageSource
    private let presence: WorkerPresence
    private let isClosed = Mutex(false)

    init(source: RedisMessageSource, presence: WorkerPresence) {
        self.source = source
        self.presence = presence
    }

    func next(limit: Int) async throws -> [Delivery] {
        while !Task.isCancelled, !isClosed.withLock({ $0 }) {
            let messages = try await source.take(limit: limit)
            if !messages.isEmpty {
                source.watcher.noteActivity()
                return source.deliveries(messages)
            }
            await source.wait()
        }
        return []
    }

    var isPaused: Bool { source.isPaused }

    func note(_ delivery: Delivery, isUnderWay: Bool) async throws {
        try await source.note(delivery, isUnderWay: isUnderWay)
    }

    func begin(_ delivery: Delivery) -> Bool {
        guard let message = delivery.handle as? TakenMessage, !message.begin() else { return true }
        source.forget(message)
        return false
    }

    func close() async {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        source.close()
        await presence.leave(source)
    }

    func finish(by deadline: ContinuousClock.Instant) {
        presence.finish(by: deadline)
    }
}
