#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How long to wait before something is tried again: exponential, with jitter, by dramatiq's formula.
public enum Backoff {
    /// The wait before a retry.
    ///
    /// `factor · 2^attempts` times a random number from 1 to 2. Where that is more than `maxBackoff`, `maxBackoff` times
    /// a random number from 0.5 to 1. (dramatiq's `compute_backoff`.)
    ///
    /// - Parameters:
    ///   - attempts: how many retries there were before; more than 32 count as 32.
    ///   - factor: the wait before the first retry.
    ///   - maxBackoff: the longest wait.
    /// - Returns: a wait in whole milliseconds.
    public static func duration(attempts: Int, factor: Duration, maxBackoff: Duration) -> Duration {
        .milliseconds(
            milliseconds(attempts: attempts, factor: factor.milliseconds, maximum: maxBackoff.milliseconds) {
                Double.random(in: $0)
            })
    }

    /// The formula, with the random draws left open.
    static func milliseconds(
        attempts: Int,
        factor: Int,
        maximum: Int,
        draw: (ClosedRange<Double>) -> Double
    ) -> Int {
        // All are finite, so there is a result.
        milliseconds(
            attempts: Double(max(attempts, 0)), factor: Double(max(factor, 0)), maximum: Double(max(maximum, 0)),
            draw: draw) ?? 0
    }

    /// The formula for the numbers that options can be; `nil` if the result is none.
    static func milliseconds(
        attempts: Double,
        factor: Double,
        maximum: Double,
        draw: (ClosedRange<Double>) -> Double
    ) -> Int? {
        let backoff = (factor * exp2(min(attempts, 32)) * draw(1...2)).rounded(.towardZero)
        guard backoff.isFinite else { return nil }
        guard backoff > maximum else { return Int(clampingToInt: backoff) }
        let longest = maximum * draw(0.5...1)
        return longest.isFinite ? Int(clampingToInt: longest) : nil
    }
}
