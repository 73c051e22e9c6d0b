public import Dramatiq
public import DramatiqTestKit

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
        let count =
            (steps.arrival == nil ? 0 : 1) + steps.releases.count + steps.creations.count + steps.refreshes.count
        guard atomicity == .commit || count == 1 && steps.arrival?.releases != true else { throw TooMuch() }
        return try await base.apply(steps)
    }

    /// The core asked for more than the store can do as a whole.
    public struct TooMuch: Error {}
}

/// A subject's transports with the barriers in a place of their own, which has a time and a memory of its own.
public struct TransportWithStoreApart: TransportSubject {
    private let transports: any TransportSubject
    private let stores: any StateStoreSubject

    public init(_ transports: any TransportSubject, _ stores: any StateStoreSubject) {
        self.transports = transports
        self.stores = stores
    }

    public var claims: Set<Claim> { transports.claims.subtracting([.barriers]) }
    public var faults: FaultSwitch { transports.faults }
    public var patience: Duration { transports.patience }
    public var lifetime: Duration { stores.lifetime }
    public func makeTransport() async throws -> any Transport { try await transports.makeTransport() }
    public func makeStore(beside transport: any Transport) async throws -> any StateStore {
        StoreApart(try await stores.makeStore())
    }
    public func makeResults(beside transport: any Transport) async throws -> any ResultBackend {
        try await transports.makeResults(beside: transport)
    }
    public func letPass(_ time: Duration) async throws { try await stores.letPass(time) }
    public func forget() async throws { try await stores.forget() }
    public func restart() async throws { try await transports.restart() }
    public func cut() async throws { try await transports.cut() }
    public func kill(_ transport: any Transport) async throws { try await transports.kill(transport) }
    public func finish() async {
        await transports.finish()
        await stores.finish()
    }
}
