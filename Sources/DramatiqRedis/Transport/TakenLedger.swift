import Dramatiq
import Synchronization

/// What a transport's consumers have taken and not settled.
final class TakenLedger: Sendable {
    private struct Entry {
        let message: TakenMessage
        /// Whether it was to be settled before, which may have worked.
        var wasTried = false
    }

    private struct State {
        var nextTag: UInt64 = 0
        var entries: [UInt64: Entry] = [:]
        /// Whom to tell that a queue gets something.
        var consumers: [String: [Signal]] = [:]
    }

    private let state = Mutex(State())

    /// A number that no delivery and no other commit has.
    func nextTag() -> UInt64 {
        state.withLock { state in
            state.nextTag += 1
            return state.nextTag
        }
    }

    func add(_ messages: [TakenMessage]) -> [UInt64] {
        state.withLock { state in
            messages.map { message in
                state.nextTag += 1
                state.entries[state.nextTag] = Entry(message: message)
                return state.nextTag
            }
        }
    }

    /// A message that is about to be settled, and whether that was tried before; `nil` if it was settled.
    func begin(_ tag: UInt64) -> (message: TakenMessage, wasTried: Bool)? {
        state.withLock { state in
            guard let entry = state.entries[tag] else { return nil }
            state.entries[tag]?.wasTried = true
            return (entry.message, entry.wasTried)
        }
    }

    /// A message is not this process's any more.
    func end(_ tag: UInt64) {
        state.withLock { $0.entries[tag] = nil }
    }

    /// Forgets all that was taken by one worker from one queue.
    func end(taken: String) {
        state.withLock { state in
            state.entries = state.entries.filter { $0.value.message.taken != taken }
        }
    }

    /// The ids of what was taken by one worker from one queue.
    func ids(taken: String) -> Set<String> {
        state.withLock { state in
            Set(state.entries.values.lazy.filter { $0.message.taken == taken }.map(\.message.id))
        }
    }

    // MARK: Waking

    /// From now on a signal is given when this process adds something to a queue, which is faster than to hear of it
    /// from the server.
    func observe(_ queue: String, _ signal: Signal) {
        state.withLock { $0.consumers[queue, default: []].append(signal) }
    }

    func stopObserving(_ queue: String, _ signal: Signal) {
        state.withLock { $0.consumers[queue]?.removeAll { $0 === signal } }
    }

    /// Tells consumers that their queue gets something.
    func wakeConsumers(of commit: RedisCommit) {
        guard !commit.enqueues.isEmpty || !commit.successors.isEmpty else { return }
        let signals = state.withLock { state in
            (commit.enqueues + commit.successors).flatMap { state.consumers[$0.queueName] ?? [] }
        }
        for signal in signals { signal.signal() }
    }
}
