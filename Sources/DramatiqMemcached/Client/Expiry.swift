#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// When an item ends.
struct Expiry: Sendable, Equatable {
    /// What Memcached takes for a time from now on, in seconds; a larger number is a date for it.
    private static let longestRelative = 30 * 86_400

    /// In how many seconds it ends, at least one; `nil` for never.
    let seconds: Int?

    /// After a time: whole seconds, rounded up.
    init(_ ttl: Duration) {
        let (seconds, attoseconds) = ttl.components
        self.seconds = max(1, Int(clamping: seconds == .max ? seconds : seconds + (attoseconds > 0 ? 1 : 0)))
    }

    /// After as long as a server says that an item still lives.
    init(remaining seconds: Int) {
        self.seconds = seconds < 0 ? nil : max(1, seconds)
    }

    /// As servers take it. 0 is never, and so is what lies behind 2038, which they can't tell.
    var token: Int {
        guard let seconds else { return 0 }
        if seconds <= Self.longestRelative { return seconds }
        let (date, overflow) = seconds.addingReportingOverflow(time(nil))
        return overflow || date > Int32.max ? 0 : date
    }
}
