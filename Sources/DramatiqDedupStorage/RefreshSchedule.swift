import Dramatiq
import Synchronization

/// Says when a stored workflow is due to be refreshed, so that not each of a group's messages does it.
final class RefreshSchedule: Sendable {
    /// Short beside the time for which unused workflows are kept, which is days.
    static let interval = Duration.seconds(15 * 60)
    private static let maxCount = 10_000

    private let last = Mutex<[TextKey: ContinuousClock.Instant]>([:])

    /// How many it remembers.
    var count: Int { last.withLock(\.count) }

    /// Whether a workflow is due; it is not again before the interval is over.
    func isDue(_ completionID: String, now: ContinuousClock.Instant = .now) -> Bool {
        last.withLock { last in
            let key = TextKey(completionID)
            if let earlier = last[key], now - earlier < Self.interval { return false }
            // Forgetting costs a refresh each and nothing else.
            if last.count >= Self.maxCount { last = [:] }
            last[key] = now
            return true
        }
    }
}
