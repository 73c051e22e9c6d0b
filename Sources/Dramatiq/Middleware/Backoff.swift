/// How long to wait before something is tried again: exponential, with jitter, by dramatiq's formula.
public enum Backoff {
    /// The wait before a retry.
    ///
    /// `factor · 2^attempts` times a random number from 1 to 2. Where that is more than `maximum`, `maximum` times a
    /// random number from 0.5 to 1. (dramatiq's `compute_backoff`.)
    ///
    /// - Parameters:
    ///   - attempts: how many retries there were before; more than 32 count as 32.
    ///   - factor: the wait before the first retry, in milliseconds.
    ///   - maximum: the longest wait, in milliseconds.
    /// - Returns: milliseconds.
    public static func milliseconds(attempts: Int, factor: Int, maximum: Int) -> Int {
        milliseconds(attempts: attempts, factor: factor, maximum: maximum) { Double.random(in: $0) }
    }

    /// The formula, with the random draws left open.
    static func milliseconds(
        attempts: Int,
        factor: Int,
        maximum: Int,
        draw: (ClosedRange<Double>) -> Double
    ) -> Int {
        let base = Double(max(factor, 0)) * Double(1 << min(max(attempts, 0), 32))
        let backoff = Int(clampingToInt: base * draw(1...2))
        return backoff > maximum ? Int(clampingToInt: Double(max(maximum, 0)) * draw(0.5...1)) : backoff
    }
}
