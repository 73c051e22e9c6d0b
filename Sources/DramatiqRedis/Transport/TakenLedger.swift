import Dramatiq
import Synchronization

/// What a transport's consumers have taken and not settled.
final class TakenLedger: Sendable {
    private struct State {
        var nextTag: UInt64 = 0
        var entries: [UInt64: TakenMessage] = [:]
        /// Whom to tell that a queue gets something.
        var consumers: [TextKey: [Signal]] = [:]
    }

    private let state = Mutex(State())

    /// Notes messages that were taken. What came back to the same worker while that still has it is lost to it: the one
    /// that it has is its own again.
    func add(_ messages: [(id: String, crashes: UInt16?)], taken: String, queueName: String) -> [TakenMessage] {
        state.withLock { state in
            let returned = messages.contains { $0.crashes != nil }
            let held =
                returned
                ? Set(state.entries.values.lazy.filter { $0.taken == taken && !$0.isLost }.map { TextKey($0.id) })
                : []
            return messages.map { id, crashes in
                state.nextTag += 1
                let message = TakenMessage(
                    tag: state.nextTag, taken: taken, queueName: queueName, id: id, crashes: crashes)
                if returned, held.contains(TextKey(id)) { message.lose() }
                state.entries[state.nextTag] = message
                return message
            }
        }
    }

    /// Messages are not this process's any more.
    func end(_ messages: [TakenMessage]) {
        state.withLock { state in
            for message in messages {
                message.end()
                state.entries[message.tag] = nil
            }
        }
    }

    /// Forgets all that was taken by one worker from one queue.
    func end(taken: String) {
        end(state.withLock { $0.entries.values.filter { $0.taken == taken } })
    }

    /// Whether anything was taken by one worker from one queue.
    func holdsSomething(taken: String) -> Bool {
        state.withLock { state in state.entries.values.contains { $0.taken == taken } }
    }

    /// What was taken by one worker from one queue.
    func messages(taken: String) -> [TakenMessage] {
        state.withLock { $0.entries.values.filter { $0.taken == taken } }
    }

    /// The ids of what was taken by one worker from one queue.
    func ids(taken: String) -> Set<TextKey> {
        state.withLock { state in
            Set(state.entries.values.lazy.filter { $0.taken == taken }.map { TextKey($0.id) })
        }
    }

    /// What was taken by one worker from one queue and noted as under way.
    func underWay(taken: String) -> [TakenMessage] {
        state.withLock { $0.entries.values.filter { $0.isUnderWay && $0.taken == taken } }
    }

    // MARK: Waking

    /// From now on a signal is given when this process adds something to a queue, which is faster than to hear of it
    /// from the server.
    func observe(_ queue: String, _ signal: Signal) {
        state.withLock { $0.consumers[TextKey(queue), default: []].append(signal) }
    }

    func stopObserving(_ queue: String, _ signal: Signal) {
        state.withLock { $0.consumers[TextKey(queue)]?.removeAll { $0 === signal } }
    }

    /// Tells consumers that their queue gets something.
    func wakeConsumers(of commit: RedisCommit) {
        guard commit.messageCount > 0 else { return }
        var signals: [Signal] = []
        state.withLock { state in
            for group in commit.enqueues { signals += state.consumers[TextKey(group.queueName)] ?? [] }
            for group in commit.successors { signals += state.consumers[TextKey(group.queueName)] ?? [] }
        }
        for signal in signals { signal.signal() }
    }
}
