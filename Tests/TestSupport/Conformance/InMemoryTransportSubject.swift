public import Dramatiq
public import DramatiqTestKit

/// The in-memory transport, with its backend in the same place or with a store apart.
public struct InMemoryTransportSubject: TransportSubject {
    /// What the transport claims for itself: there are no answers to be lost between it and its memory.
    public static let transportClaims: Set<Claim> = InMemoryTransport().traits.claims
        .union([.refusedSteps, .barriers, .operations])
    /// What workflows over the transport and its backend claim: a transport that wraps this one may lose answers.
    public static let workflowClaims = transportClaims.union([.lostAnswers, .passingTime, .forgetting])
    /// The same with a store apart.
    public static let splitClaims = workflowClaims.subtracting([.barriers])

    public let claims: Set<Claim>
    public let faults: FaultSwitch
    public let patience: Duration
    public let transport: InMemoryTransport
    private let wrapping: @Sendable (InMemoryTransport) -> any Transport
    private let store: any StateStore
    private let passing: @Sendable (Duration) async throws -> Void
    private let forgetting: @Sendable () async throws -> Void

    /// - Parameters:
    ///   - wrapping: wraps what is tested.
    ///   - storing: wraps the store of barriers, or takes another one.
    ///   - passing: lets time pass for another store.
    ///   - forgetting: makes another store lose what it keeps.
    public init(
        claims: Set<Claim>,
        fidelity: InMemoryTransport.Fidelity = .values,
        faults: FaultSwitch = FaultSwitch(),
        patience: Duration = .patience,
        wrapping: @escaping @Sendable (InMemoryTransport) -> any Transport = { $0 },
        storing: (InMemoryRateLimiterBackend) -> any StateStore = { $0 },
        passing: (@Sendable (Duration) async throws -> Void)? = nil,
        forgetting: (@Sendable () async throws -> Void)? = nil
    ) {
        self.claims = claims
        self.faults = faults
        self.patience = patience
        self.wrapping = wrapping
        transport = InMemoryTransport(fidelity: fidelity)
        let clock = TestClock()
        let backend = InMemoryRateLimiterBackend(now: { clock.instant })
        store = storing(backend)
        self.passing = passing ?? { clock.advance(by: $0) }
        self.forgetting = forgetting ?? { backend.removeAll() }
    }

    public func makeTransport() async throws -> any Transport {
        FaultyTransport(wrapping(transport), faults: faults)
    }

    public func makeStore(beside transport: any Transport) async throws -> any StateStore { store }
    public func letPass(_ time: Duration) async throws { try await passing(time) }
    public func forget() async throws { try await forgetting() }
}

/// A store that is in a place of its own, so that no transport includes it.
public final class StoreApart: StateStore {
    private let base: any StateStore
    public let atomicity: StateAtomicity

    /// - Parameter atomicity: what it says to be able to do. Defaults to what the store beneath can do.
    public init(_ base: any StateStore, atomicity: StateAtomicity? = nil) {
        self.base = base
        self.atomicity = atomicity ?? base.atomicity
    }

    public var identity: StoreIdentity { StoreIdentity(self) }
    public var barrierKeyPrefix: String { base.barrierKeyPrefix }

    /// - Throws: ``TooMuch`` if it is asked for more than one step and can't take them as a whole.
    public func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
        let count = (steps.arrival == nil ? 0 : 1) + steps.releases.count + steps.creations.count + steps.renewals.count
        guard atomicity == .commit || count == 1 && steps.arrival?.releases != true else { throw TooMuch() }
        return try await base.apply(steps)
    }

    /// The core asked for more than the store can do as a whole.
    public struct TooMuch: Error {}
}
