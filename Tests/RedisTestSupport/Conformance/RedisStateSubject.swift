public import Dramatiq
public import DramatiqRedis
public import DramatiqTestKit
import TestSupport

/// Barriers and counters on a server, which keeps them on its disk.
public struct RedisStateSubject: StateStoreSubject, CounterSubject {
    /// As a store of barriers.
    public static let storeClaims: Set<Claim> = [
        .atomicSteps, .passingTime, .forgetting, .refusedSteps, .lostAnswers, .restarts, .cuts,
    ]
    /// As one of counters.
    public static let counterClaims: Set<Claim> = [.passingTime, .notifications]

    public let claims: Set<Claim>
    public let faults = FaultSwitch()
    public let patience: Duration = .patience
    private let place: RedisPlace
    private let storing: @Sendable (RedisRateLimiterBackend) -> any StateStore
    private let counting: @Sendable (RedisRateLimiterBackend) -> any RateLimiterBackend

    /// - Parameters:
    ///   - server: set up as `appendOnly`.
    ///   - storing: wraps the store of barriers.
    ///   - counting: wraps the one of counters.
    public init(
        _ server: RedisServer,
        claims: Set<Claim>,
        storing: @escaping @Sendable (RedisRateLimiterBackend) -> any StateStore = { $0 },
        counting: @escaping @Sendable (RedisRateLimiterBackend) -> any RateLimiterBackend = { $0 }
    ) throws {
        self.claims = claims
        self.storing = storing
        self.counting = counting
        place = try RedisPlace(server)
    }

    private func make() throws -> RedisRateLimiterBackend {
        RedisRateLimiterBackend(try place.makeClient(faults) { $0.script != nil }.executor)
    }

    public func makeStore() async throws -> any StateStore { storing(try make()) }
    public func makeBackend() async throws -> any RateLimiterBackend { counting(try make()) }
    public func letPass(_ time: Duration) async throws { try await place.letPass(time) }
    public func forget() async throws { try await place.forget() }
    public func restart() async throws { try await place.restart() }
    public func cut() async throws { try await place.cut() }
    public func finish() async { await place.finish() }
}
