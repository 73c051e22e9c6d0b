import Dramatiq
import Synchronization

/// Says when a stored content is due to be refreshed, so that not each of a workflow's messages does it.
final class RefreshSchedule: Sendable {
    /// Short beside the time for which unused contents are kept, which is days.
    static let interval = Duration.seconds(15 * 60)
    private static let maxCount = 10_000

    private let last = Mutex<[TextKey: ContinuousClock.Instant]>([:])

    /// How many it remembers.
    var count: Int { last.withLock(\.count) }

    /// Whether a content is due; it is not again before the interval is over.
    func isDue(_ name: String, now: ContinuousClock.Instant = .now) -> Bool {
        last.withLock { last in
            let key = TextKey(name)
            if let earlier = last[key], now - earlier < Self.interval { return false }
            Self.note(key, now, &last)
            return true
        }
    }

    /// Whether a content would be due.
    func wouldBeDue(_ name: String, now: ContinuousClock.Instant = .now) -> Bool {
        last.withLock { last in last[TextKey(name)].map { now - $0 >= Self.interval } ?? true }
    }

    /// A content was stored, or loaded, which refreshes it.
    func note(_ name: String, now: ContinuousClock.Instant = .now) {
        last.withLock { Self.note(TextKey(name), now, &$0) }
    }

    private static func note(
        _ key: TextKey,
        _ now: ContinuousClock.Instant,
        _ last: inout [TextKey: ContinuousClock.Instant]
    ) {
        // Forgetting costs a refresh each and nothing else.
        if last.count >= maxCount { last = [:] }
        last[key] = now
    }
}
