public import Dramatiq
public import DramatiqTestKit

/// The in-memory backend, as a store of barriers and as one of counters, with a clock of its own.
public struct InMemoryStateSubject: StateStoreSubject, CounterSubject {
    /// As a store of barriers.
    public static let storeClaims: Set<Claim> = [
        .atomicSteps, .passingTime, .forgetting, .refusedSteps, .lostAnswers,
    ]
    /// As one of counters.
    public static let counterClaims: Set<Claim> = [.passingTime, .notifications]

    public let claims: Set<Claim>
    public let faults = FaultSwitch()
    private let clock: TestClock
    private let backend: InMemoryRateLimiterBackend
    private let storing: @Sendable (InMemoryRateLimiterBackend) -> any StateStore
    private let counting: @Sendable (InMemoryRateLimiterBackend) -> any RateLimiterBackend

    /// - Parameters:
    ///   - storing: wraps the store of barriers.
    ///   - counting: wraps the one of counters.
    public init(
        claims: Set<Claim>,
        storing: @escaping @Sendable (InMemoryRateLimiterBackend) -> any StateStore = { $0 },
        counting: @escaping @Sendable (InMemoryRateLimiterBackend) -> any RateLimiterBackend = { $0 }
    ) {
        self.claims = claims
        self.storing = storing
        self.counting = counting
        let clock = TestClock()
        self.clock = clock
        backend = InMemoryRateLimiterBackend(now: { clock.instant })
    }

    public func makeStore() async throws -> any StateStore { FaultyStateStore(storing(backend), faults: faults) }
    public func makeBackend() async throws -> any RateLimiterBackend { counting(backend) }
    public func letPass(_ time: Duration) async throws { clock.advance(by: time) }
    public func forget() async throws { backend.removeAll() }
}
