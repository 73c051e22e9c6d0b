public import Dramatiq

/// A store whose steps fail as a ``FaultSwitch`` has it. It passes its identity on, so a transport that includes the
/// store beneath includes this one.
public struct FaultyStateStore: StateStore {
    public let base: any StateStore
    public let faults: FaultSwitch

    public init(_ base: any StateStore, faults: FaultSwitch) {
        self.base = base
        self.faults = faults
    }

    public var identity: StoreIdentity { base.identity }
    public var atomicity: StateAtomicity { base.atomicity }
    public var barrierKeyPrefix: String { base.barrierKeyPrefix }
    public var runStore: (any RunStore)? { base.runStore }

    public func verifyAccess(barrierKeyPrefix: String) async throws {
        try await base.verifyAccess(barrierKeyPrefix: barrierKeyPrefix)
    }

    /// - Throws: ``InjectedFault``, or what the store beneath throws.
    public func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
        try await faults.perform { try await base.apply(steps) }
    }
}
