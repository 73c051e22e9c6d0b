public import Dramatiq
public import DramatiqTestKit

/// The in-memory transport, with its backend in the same place.
public struct InMemoryTransportSubject: TransportSubject {
    /// What the transport claims for itself: there are no answers to be lost between it and its memory.
    public static let transportClaims: Set<Claim> = InMemoryTransport().traits.claims
        .union([.refusedSteps, .passingTime, .barriers, .results, .operations, .pausing, .runs])
    /// What workflows over the transport and its backend claim: a transport that wraps this one may lose answers.
    public static let workflowClaims = transportClaims.union([.lostAnswers, .forgetting])
    /// The same with a store in another place.
    public static let splitClaims = workflowClaims.subtracting([.barriers])

    public let claims: Set<Claim>
    public let faults: FaultSwitch
    public let patience: Duration
    public let transport: InMemoryTransport
    private let wrapping: @Sendable (InMemoryTransport) -> any Transport
    private let store: any StateStore
    private let clock: TestClock
    private let backend: InMemoryRateLimiterBackend
    private let results: InMemoryResultBackend

    /// - Parameters:
    ///   - wrapping: wraps what is tested.
    ///   - storing: wraps the store of barriers.
    public init(
        claims: Set<Claim>,
        fidelity: InMemoryTransport.Fidelity = .values,
        faults: FaultSwitch = FaultSwitch(),
        patience: Duration = .patience,
        wrapping: @escaping @Sendable (InMemoryTransport) -> any Transport = { $0 },
        storing: (InMemoryRateLimiterBackend) -> any StateStore = { $0 }
    ) {
        self.claims = claims
        self.faults = faults
        self.patience = patience
        self.wrapping = wrapping
        transport = InMemoryTransport(fidelity: fidelity)
        let clock = TestClock()
        self.clock = clock
        backend = InMemoryRateLimiterBackend(now: { clock.instant })
        store = storing(backend)
        results = InMemoryResultBackend(now: { clock.instant })
    }

    public func makeTransport() async throws -> any Transport {
        FaultyTransport(wrapping(transport), faults: faults)
    }

    public func makeStore(beside transport: any Transport) async throws -> any StateStore { store }
    public func makeResults(beside transport: any Transport) async throws -> any ResultBackend { results }
    public func letPass(_ time: Duration) async throws { clock.advance(by: time) }
    public func forget() async throws { backend.removeAll() }
}
