import Dramatiq
import Logging
import Synchronization

/// Removes what was stored for runs that need it no more, beside everything else: no message waits for it, and none fails for
/// it. What can't be removed is left to who sweeps.
final class RunCleanup: Sendable {
    private struct State {
        /// The runs to look at, each once.
        var waiting: Set<TextKey> = []
        var isRunning = false
        var failureCount = 0
        var logger = Logger(label: "dramatiq.workflows")
        /// Who waits until nothing is to be done.
        var finished: [Signal] = []
    }

    /// How many runs are looked at together.
    private static let batchSize = 100
    /// How many may wait while a storage is slow. Those beyond are left to who sweeps.
    private static let maxWaiting = 10_000

    private let state = Mutex(State())

    /// - Parameters:
    ///   - store: knows what was stored for the run.
    ///   - storage: has it.
    func add(_ id: String, _ store: any RunStore, _ storage: any CallbackStorage) {
        let begins = state.withLock { state in
            guard state.waiting.count < Self.maxWaiting else { return false }
            state.waiting.insert(TextKey(id))
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if begins { Task { await run(store, storage) } }
    }

    /// Who is told of what can't be removed.
    func setLogger(_ logger: Logger) {
        state.withLock { $0.logger = logger }
    }

    /// Waits until nothing is to be done, for a while at most.
    func finish(within limit: Duration) async {
        let signal = Signal()
        let isFinished = state.withLock { state in
            if state.isRunning { state.finished.append(signal) }
            return !state.isRunning
        }
        if !isFinished { await signal.wait(until: .now + limit) }
    }

    private func run(_ store: any RunStore, _ storage: any CallbackStorage) async {
        while let ids = takeBatch() {
            do {
                let contents = try await store.takeContents(of: ids)
                if !contents.isEmpty { try await storage.remove(contents) }
                state.withLock { $0.failureCount = 0 }
            } catch {
                let (count, logger) = state.withLock { state in
                    state.failureCount += 1
                    return (state.failureCount, state.logger)
                }
                logger.log(
                    level: count == 1 ? .warning : .debug,
                    "What was stored for workflows that have ended can't be removed and stays until it is swept",
                    metadata: ["error": "\(error)"])
            }
        }
    }

    /// The runs to look at next; `nil` if there are none, and then somebody else begins.
    private func takeBatch() -> [String]? {
        let (ids, finished) = state.withLock { state in
            let batch = state.waiting.prefix(Self.batchSize)
            state.waiting.subtract(batch)
            guard batch.isEmpty else { return (batch.map(\.text), [] as [Signal]) }
            state.isRunning = false
            defer { state.finished = [] }
            return ([], state.finished)
        }
        for signal in finished { signal.signal() }
        return ids.isEmpty ? nil : ids
    }
}
