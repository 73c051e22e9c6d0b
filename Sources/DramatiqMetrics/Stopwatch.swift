#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Measures how long something takes. `ContinuousClock` takes twice as long to read, which every message would pay.
struct Stopwatch: Sendable {
    private let start = Self.nanoseconds()

    /// The time since it was made.
    var milliseconds: Double { Double(Self.nanoseconds() &- start) / 1e6 }

    private static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

extension Duration {
    var fractionalMilliseconds: Double {
        Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
    }
}
