import Dramatiq
import Synchronization

/// The runs of which this program's workers start nothing, as far as they know by now.
///
/// Reading is all that messages cost: while no run is stopped, that is one look at a flag.
final class StoppedRunList: Sendable {
    private struct State {
        /// For each index of runs that a broker has. Mostly there is one.
        var states: [TextKey: [TextKey: RunState]] = [:]
        /// Those that were added here and not heard of yet.
        var expected: Set<TextKey> = []
        var watches: [ObjectIdentifier: Watch] = [:]
    }

    /// How a worker learns of changes.
    private struct Watch {
        /// What others know the worker by.
        let id = UniqueID.make()
        /// What the worker keeps to.
        var version: Int?
        /// When it was said last which version that is.
        var announced: ContinuousClock.Instant?
        var announcedVersion: Int?
    }

    private let hasSome = Atomic(false)
    private let state = Mutex(State())

    var isEmpty: Bool { !hasSome.load(ordering: .acquiring) }

    subscript(_ id: String) -> RunState? {
        if isEmpty { return nil }
        return state.withLock { state in
            for states in state.states.values {
                if let found = states[TextKey(id)] { return found }
            }
            return nil
        }
    }

    /// Adds a run that is stopped from here, before it is heard of.
    func insert(_ id: String, _ runState: RunState, index: String) {
        state.withLock { state in
            let old = state.states[TextKey(index), default: [:]].updateValue(runState, forKey: TextKey(id))
            if old == nil { state.expected.insert(TextKey(id)) }
            hasSome.store(true, ordering: .releasing)
        }
    }

    /// Whether it was heard of that a run is stopped.
    func isHeardOf(_ id: String) -> Bool {
        state.withLock { !$0.expected.contains(TextKey(id)) }
    }

    /// Forgets a run that is not stopped any more, which is known before it is heard of.
    func remove(_ id: String) {
        state.withLock { state in
            state.expected.remove(TextKey(id))
            for index in state.states.keys { state.states[index]?[TextKey(id)] = nil }
        }
    }

    /// How often a worker says that it is still there.
    private static let announcementInterval = Duration.seconds(5)

    /// Asks once whether something has changed, on behalf of a worker.
    ///
    /// - Returns: the ids of the runs that are cancelled, if something has changed since this worker asked last. The list is
    ///   of no help there: another worker may have heard of it before.
    /// - Throws: what the store throws.
    func update(for worker: Worker, from store: any RunStore, index: String) async throws -> [String] {
        let watch = state.withLock { $0.watches[ObjectIdentifier(worker), default: Watch()] }
        let now = ContinuousClock.now
        let isDue = watch.announced.map { $0 + Self.announcementInterval <= now } ?? true
        let announces = watch.version != nil && (isDue || watch.version != watch.announcedVersion)
        let stopped = try await store.stoppedRuns(
            since: watch.version, worker: watch.id, announces: announces, index: index)
        return state.withLock { state in
            var next = watch
            if announces || watch.version == nil {
                next.announced = now
                next.announcedVersion = watch.version ?? stopped.version
            }
            next.version = stopped.version
            state.watches[ObjectIdentifier(worker)] = next
            guard let states = stopped.states else { return [] }
            var changed: [TextKey: RunState] = [:]
            changed.reserveCapacity(states.count)
            for (id, runState) in states { changed[TextKey(id)] = runState }
            state.states[TextKey(index)] = changed
            state.expected = []
            hasSome.store(state.states.values.contains { !$0.isEmpty }, ordering: .releasing)
            return changed.filter { $0.value == .cancelled }.map(\.key.text)
        }
    }

    /// A worker ends.
    ///
    /// - Returns: what others know it by, if they do.
    func remove(_ worker: Worker) -> String? {
        state.withLock { $0.watches.removeValue(forKey: ObjectIdentifier(worker))?.id }
    }
}
