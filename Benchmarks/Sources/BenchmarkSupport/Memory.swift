import Foundation
import Synchronization

/// What this process occupies.
public enum Memory {
    /// Resident bytes now, from `/proc/self/statm`; 0 where there is none.
    public static func resident() -> Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Runs a piece of work and looks at the resident bytes all the while.
    ///
    /// - Returns: resident bytes at the start, the most seen, and at the end.
    public static func watching(
        every interval: Duration = .milliseconds(5),
        _ body: () async throws -> Void
    ) async throws -> (start: Int, peak: Int, end: Int) {
        let start = resident()
        let peak = Mutex(start)
        let watcher = Watcher(interval: interval)
        watcher.start()
        defer { watcher.stop() }
        try await body()
        let end = resident()
        peak.withLock { $0 = max($0, watcher.peak, end) }
        return (start, peak.withLock { $0 }, end)
    }
}

/// Looks at the memory on a thread of its own, so that busy tasks can't keep it from looking.
private final class Watcher: Sendable {
    private let interval: Duration
    private let state = Mutex((peak: 0, isStopped: false))

    init(interval: Duration) {
        self.interval = interval
    }

    var peak: Int { state.withLock { $0.peak } }

    func start() {
        Thread.detachNewThread { [self] in
            while !state.withLock({ $0.isStopped }) {
                let resident = Memory.resident()
                state.withLock { $0.peak = max($0.peak, resident) }
                Thread.sleep(forTimeInterval: interval.inSeconds)
            }
        }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
    }
}
