#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The wall clock, as dramatiq counts it.
package enum SystemClock {
    /// Milliseconds since 1970, whole, as in a plain message's timestamp.
    package static func milliseconds() -> Int {
        let time = now()
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// Milliseconds since 1970 with a fraction, as in the timestamp of a message that a workflow enqueues.
    package static func fractionalMilliseconds() -> Double {
        let time = now()
        return Double(time.tv_sec) * 1000 + Double(time.tv_nsec / 1000) / 1000
    }

    private static func now() -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    package var milliseconds: Int {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, overflows) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        guard !overflow, !overflows else { return seconds < 0 ? .min : .max }
        return Int(clamping: sum)
    }
}
