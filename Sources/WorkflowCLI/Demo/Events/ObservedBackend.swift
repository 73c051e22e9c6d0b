import Dramatiq
import Synchronization

/// A rate limiter backend that records what becomes of the barriers, and leaves the work to another one.
///
/// This is the one place that knows: a middleware sees the barriers that a task's settlement was to create, but not
/// those that a workflow starts with, nor whether an arrival was the last one, and only after the next tasks may have
/// started.
struct ObservedBackend<Backend: RateLimiterBackend>: RateLimiterBackend {
    private let backend: Backend
    private let recorder: EventRecorder
    private let barriers = Barriers()

    init(_ backend: Backend, _ recorder: EventRecorder) {
        self.backend = backend
        self.recorder = recorder
    }

    func commit(_ steps: BarrierCommit) async throws -> BarrierCommit.Result {
        let result = try await backend.commit(steps)
        var opened: [BarrierKey] = []
        switch result {
        case .committed:
            opened = steps.releases
            if let arrival = steps.arrival, arrival.releases { opened.append(arrival.barrier) }
        case .waiting:
            opened = steps.releases
        case .opened:
            // What it holds back is sent next, and the release recorded only after that.
            opened = [steps.arrival?.barrier].compactMap(\.self)
        case .alreadyReleased:
            break
        }
        for barrier in opened {
            if let state = barriers.remove(barrier.key) { recorder.record(.barrierOpened(state)) }
        }
        guard result == .committed else { return result }
        for creation in steps.creations {
            if let state = barriers.add(creation.barrier.key, creation.parties) {
                recorder.record(.barrierCreated(state))
            }
        }
        return result
    }

    func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool {
        try await backend.add(key, value: value, ttl: ttl)
    }

    func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool {
        try await backend.incr(key, amount: amount, maximum: maximum, ttl: ttl)
    }

    func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool {
        try await backend.decr(key, amount: amount, minimum: minimum, ttl: ttl)
    }

    nonisolated(nonsending) func incrAndSum(
        _ key: String,
        keys: @Sendable () -> [String],
        amount: Int,
        maximum: Int,
        ttl: Duration
    ) async throws -> Bool {
        try await backend.incrAndSum(key, keys: keys, amount: amount, maximum: maximum, ttl: ttl)
    }

    func wait(_ key: String, timeout: Duration) async throws -> Bool {
        try await backend.wait(key, timeout: timeout)
    }

    func notify(_ key: String, ttl: Duration) async throws {
        try await backend.notify(key, ttl: ttl)
    }
}

/// The barriers that were created and not opened.
private final class Barriers: Sendable {
    private struct State {
        var count = 0
        var open: [String: BarrierState] = [:]
    }

    private let state = Mutex(State())

    /// - Returns: `nil` if the barrier is there already.
    func add(_ key: String, _ parties: Int) -> BarrierState? {
        state.withLock { state in
            guard state.open[key] == nil else { return nil }
            state.count += 1
            let barrier = BarrierState(number: state.count, key: key, parties: parties)
            state.open[key] = barrier
            return barrier
        }
    }

    /// - Returns: `nil` if the barrier was opened before.
    func remove(_ key: String) -> BarrierState? {
        state.withLock { $0.open.removeValue(forKey: key) }
    }
}
