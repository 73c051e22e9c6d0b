import Dramatiq

/// Decides whether an object has to be copied onto itself to be there for long enough. All times are the server's.
struct Renewal: Equatable {
    /// What an object says of itself.
    struct Dates: Equatable {
        /// When it was written, in seconds since 1970.
        var modified: Int
        /// Until when sweeps leave it, in seconds since 1970.
        var keepUntil: Int?
    }

    enum Decision: Equatable {
        /// It is there for long enough.
        case nothing
        /// It needs a new date, and this mark.
        case copy(keepUntil: Int?)
        /// The lifecycle rule leaves only so many seconds to wait.
        case impossible(longestWait: Int)
    }

    /// A century: what can be added to dates.
    private static let longest = 3_155_760_000
    private static let interval = seconds(S3Retention.renewalInterval)

    static func decide(_ dates: Dates, now: Int, wait: Duration, _ retention: S3Retention) -> Decision {
        let lifetime = seconds(retention.lifetime)
        let (wait, age) = (seconds(wait), seconds(retention.age))
        let needed = now + lifetime + wait
        if retention.lifecycleDays != nil {
            guard lifetime + wait <= age else { return .impossible(longestWait: max(0, age - lifetime)) }
            return dates.modified + age >= needed ? .nothing : .copy(keepUntil: nil)
        }
        if max(dates.modified + age, dates.keepUntil ?? 0) >= needed { return .nothing }
        // The mark never becomes earlier. It is set further than needed, so that the next one who waits for as long
        // doesn't copy again at once.
        var keepUntil = dates.keepUntil.flatMap { $0 > now + age ? $0 : nil }
        if needed > now + age { keepUntil = max(keepUntil ?? 0, needed + interval) }
        return .copy(keepUntil: keepUntil)
    }

    /// How long ago an object was needed last: negative while a message waits with it.
    static func age(_ dates: Dates, now: Int, _ retention: S3Retention) -> Duration {
        let marked = dates.keepUntil.map { now - ($0 - seconds(retention.age)) }
        return .seconds(min(now - dates.modified, marked ?? .max))
    }

    /// Whole seconds, rounded up, from nothing to a century.
    private static func seconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return min(max(0, Int(clamping: seconds)), longest - 1) + (seconds >= 0 && attoseconds > 0 ? 1 : 0)
    }
}
