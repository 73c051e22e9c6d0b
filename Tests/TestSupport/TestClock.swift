import Synchronization

/// A clock that stands still until it is moved.
public final class TestClock: Sendable {
    private let now = Mutex(ContinuousClock.now)

    public init() {}

    public var instant: ContinuousClock.Instant { now.withLock(\.self) }
    public func advance(by duration: Duration) { now.withLock { $0 += duration } }
}
