public import Dramatiq

/// Makes the state stores that ``StateStorePromises`` are checked on.
public protocol StateStoreSubject: ConformanceSubject {
    /// Makes a store. All that one subject makes keep their barriers in the same place, as several clients of a server
    /// do.
    ///
    /// - Throws: why it can't be made; the check fails with it.
    func makeStore() async throws -> any StateStore
}

extension Promise where Subject == any StateStoreSubject {
    init(
        _ name: String,
        needs: Set<Claim> = [],
        file: String = #fileID,
        line: Int = #line,
        _ body: @escaping @Sendable (any StateStoreSubject) async throws -> Void
    ) {
        self.init(name, needs: needs, file: file, line: line, base: { $0 }, body: body)
    }
}

/// A store and a barrier in it, with what a check does to it.
struct BarrierCheck: Sendable {
    let store: any StateStore
    let lifetime: Duration
    let barrier: BarrierKey

    init(_ store: any StateStore, _ subject: any ConformanceSubject, recordsRelease: Bool = true) {
        self.store = store
        lifetime = subject.lifetime
        let key = store.barrierKeyPrefix + UniqueID.make()
        barrier = BarrierKey(key: key, releaseKey: recordsRelease ? "\(key)_ran" : nil, ttl: subject.lifetime)
    }

    /// The same barrier, reached through another store.
    private init(_ store: any StateStore, _ other: BarrierCheck) {
        self.store = store
        lifetime = other.lifetime
        barrier = other.barrier
    }

    func through(_ store: any StateStore) -> BarrierCheck { BarrierCheck(store, self) }

    private func key(_ ttl: Duration?) -> BarrierKey {
        BarrierKey(key: barrier.key, releaseKey: barrier.releaseKey, ttl: ttl ?? lifetime)
    }

    func create(parties: Int, file: String = #fileID, line: Int = #line) async throws {
        let steps = StateCommit(store: store, creations: [.init(barrier: barrier, parties: parties)])
        try expectEqual(
            try await store.apply(steps), .committed, "the result of a creation", file: file, line: line)
    }

    func arrive(_ party: String, keepingFor ttl: Duration? = nil) async throws -> StateCommit.Result {
        try await store.apply(
            StateCommit(store: store, arrival: .init(barrier: key(ttl), party: party, releases: false)))
    }

    func release() async throws -> StateCommit.Result {
        try await store.apply(StateCommit(store: store, releases: [barrier]))
    }

    func renew(for ttl: Duration) async throws -> StateCommit.Result {
        try await store.apply(StateCommit(store: store, refreshes: [key(ttl)]))
    }

    func expectArrival(
        _ party: String,
        _ expected: StateCommit.Result,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let result = try await arrive(party)
        try expectEqual(result, expected, "the result of the arrival of \(party)", file: file, line: line)
    }

    func expectLost(_ party: String, _ why: String, file: String = #fileID, line: Int = #line) async throws {
        let lost = try await expectError(BarrierStateLost.self, why, file: file, line: line) {
            try await arrive(party)
        }
        try expectEqual(lost.key, barrier.key, "the key in the error", file: file, line: line)
    }
}
