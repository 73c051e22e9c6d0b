import DramatiqTestKit
import TestSupport
import Testing

/// The promises to the in-memory backend.
@Suite(.timeLimit(.minutes(10))) struct InMemoryStateConformanceTests {
    @Test(arguments: StateStorePromises.all.claimed(by: InMemoryStateSubject.storeClaims))
    func barriers(promise: Promise<any StateStoreSubject>) async throws {
        try await promise.check(InMemoryStateSubject(claims: InMemoryStateSubject.storeClaims))
    }

    @Test(arguments: CounterPromises.all.claimed(by: InMemoryStateSubject.counterClaims))
    func counters(promise: Promise<any CounterSubject>) async throws {
        try await promise.check(InMemoryStateSubject(claims: InMemoryStateSubject.counterClaims))
    }

    /// What lives in one process has no server that could go away.
    @Test func littleIsNotClaimed() {
        #expect(
            StateStorePromises.all.notClaimed(by: InMemoryStateSubject.storeClaims).map(\.needs)
                == [[.restarts], [.cuts]])
        #expect(CounterPromises.all.notClaimed(by: InMemoryStateSubject.counterClaims).isEmpty)
    }
}
