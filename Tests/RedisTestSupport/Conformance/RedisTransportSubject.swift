public import Dramatiq
public import DramatiqRedis
public import DramatiqTestKit
import DramatiqWorkflow
import Synchronization
import TestSupport

/// Messages on a server, with the barriers on the same one.
public final class RedisTransportSubject: TransportSubject {
    public static let claims: Set<Claim> = [
        .refusedSteps, .lostAnswers, .passingTime, .forgetting, .restarts, .cuts, .kills, .barriers, .results,
        .operations,
        .pausing, .redelivery, .crashCounts, .steadyCommits, .runs,
    ]
    /// The same with a store in another place.
    public static let splitClaims = claims.subtracting([.barriers])

    public var claims: Set<Claim> { Self.claims }
    public let faults = FaultSwitch()
    public let patience: Duration = .patience
    private let heartbeatTimeout: Duration
    private let place: RedisPlace
    private let wrapping: @Sendable (RedisTransport) -> any Transport
    private let storing: @Sendable (RedisRateLimiterBackend) -> any StateStore
    private let made = Mutex<[(client: RedisClient, executor: any RedisExecutor, transport: RedisTransport)]>([])

    /// - Parameters:
    ///   - server: set up as `appendOnly`.
    ///   - promise: what is going to be checked. Only where a client is killed does a silent one go quickly for dead.
    ///   - wrapping: wraps what is tested.
    ///   - storing: wraps the store of barriers.
    public init(
        _ server: RedisServer,
        checking promise: Promise<any TransportSubject>,
        wrapping: @escaping @Sendable (RedisTransport) -> any Transport = { $0 },
        storing: @escaping @Sendable (RedisRateLimiterBackend) -> any StateStore = { $0 }
    ) throws {
        heartbeatTimeout = promise.needs.contains(.kills) ? .seconds(1) : .seconds(60)
        place = try RedisPlace(server)
        self.wrapping = wrapping
        self.storing = storing
    }

    public func makeTransport() async throws -> any Transport {
        let (client, executor) = try place.makeClient(faults) { $0.isCommit }
        let transport = RedisTransport(
            executor,
            configuration: RedisTransport.Configuration(
                heartbeatTimeout: heartbeatTimeout, sendPatience: .seconds(60)),
            logger: RecordingLog().logger)
        let wrapped = wrapping(transport)
        made.withLock { $0.append((client, executor, transport)) }
        return wrapped
    }

    public func makeStore(beside transport: any Transport) async throws -> any StateStore {
        storing(RedisRateLimiterBackend(try made(transport).executor))
    }

    public func makeResults(beside transport: any Transport) async throws -> any ResultBackend {
        RedisResultBackend(try made(transport).executor)
    }

    private func made(
        _ transport: any Transport
    ) throws -> (client: RedisClient, executor: any RedisExecutor, transport: RedisTransport) {
        var innermost = transport
        while let wrapper = innermost as? any TransportWrapper { innermost = wrapper.base }
        guard let found = made.withLock({ $0.first { $0.transport === innermost as AnyObject } }) else {
            throw NotImplemented(claim: .barriers)
        }
        return found
    }

    public func letPass(_ time: Duration) async throws { try await place.letPass(time) }
    public func forget() async throws { try await place.forget() }
    public func restart() async throws { try await place.restart() }
    public func cut() async throws { try await place.cut() }
    public func finish() async { await place.finish() }
    public func kill(_ transport: any Transport) async throws { try await made(transport).client.shutDown() }
}
