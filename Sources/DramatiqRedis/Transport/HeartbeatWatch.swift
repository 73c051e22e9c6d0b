import Dramatiq

/// For how long the heartbeats of workers have been the same, by this process's own clock.
///
/// What a heartbeat says is a time of the server's, or of the machine of a worker in Python, and either may be set forward
/// or back. So it is compared with nothing but what it was at the last look.
struct HeartbeatWatch {
    /// A worker with its last heartbeat, as the server writes it.
    struct Heartbeat: Sendable {
        let worker: String
        let score: String
    }

    private struct Seen {
        let heartbeat: Heartbeat
        let since: ContinuousClock.Instant
    }

    /// By the worker's id.
    private var seen: [TextKey: Seen] = [:]
    private var lastLook: ContinuousClock.Instant?

    /// Takes what the server has answered: what isn't there any more is forgotten.
    ///
    /// It read that at some time between question and answer, so a heartbeat is the same until the one, and new since the
    /// other.
    mutating func look(
        _ heartbeats: [Heartbeat],
        asked: ContinuousClock.Instant,
        answered: ContinuousClock.Instant = .now
    ) {
        let known = seen
        lastLook = asked
        seen.removeAll(keepingCapacity: true)
        for heartbeat in heartbeats {
            let id = TextKey(heartbeat.worker)
            if let before = known[id], before.heartbeat.score.hasSameBytes(as: heartbeat.score) {
                seen[id] = before
            } else {
                seen[id] = Seen(heartbeat: heartbeat, since: answered)
            }
        }
    }

    /// The workers whose heartbeat has been the same for a time.
    ///
    /// - Parameter steadySince: since when every worker that is alive could be heard.
    func silent(for time: Duration, since steadySince: ContinuousClock.Instant) -> [Heartbeat] {
        guard let lastLook else { return [] }
        return seen.values.filter { lastLook - max($0.since, steadySince) >= time }.map(\.heartbeat)
    }
}
