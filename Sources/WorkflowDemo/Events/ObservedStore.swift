import Dramatiq
import Synchronization

/// A store that records what becomes of the barriers, and leaves the work to another one.
///
/// It is a place of its own to the core, which then takes the steps one after the other: a barrier is seen before the
/// tasks that count at it. A `CommitObserver` hears of it only after the next tasks may have started.
struct ObservedStore: StateStore {
    private let base: any StateStore
    private let recorder: EventRecorder
    private let barriers = Barriers()

    init(_ base: any StateStore, _ recorder: EventRecorder) {
        self.base = base
        self.recorder = recorder
    }

    var identity: StoreIdentity { StoreIdentity(barriers) }
    var atomicity: StateAtomicity { base.atomicity }

    func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
        let result = try await base.apply(steps)
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
