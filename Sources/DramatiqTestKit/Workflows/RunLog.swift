import Dramatiq
import Synchronization

/// The tasks that ran, in their order.
final class RunLog: Sendable {
    private let runs = Mutex<[(name: String, time: ContinuousClock.Instant)]>([])

    var names: [String] { runs.withLock { $0.map(\.name) } }

    func add(_ name: String) {
        runs.withLock { $0.append((name, .now)) }
    }

    func count(_ name: String) -> Int {
        runs.withLock { runs in runs.reduce(0) { $0 + ($1.name == name ? 1 : 0) } }
    }

    /// When a task ran first.
    func time(of name: String) -> ContinuousClock.Instant? {
        runs.withLock { runs in runs.first { $0.name == name }?.time }
    }
}
