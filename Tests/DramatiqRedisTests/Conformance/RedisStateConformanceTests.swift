import DramatiqTestKit
import RedisTestSupport
import Testing

/// The promises to barriers and counters on a server.
@Suite(.timeLimit(.minutes(10))) struct RedisStateConformanceTests {
    @Test(arguments: StateStorePromises.all.claimed(by: RedisStateSubject.storeClaims))
    func barriers(promise: Promise<any StateStoreSubject>) async throws {
        try await withRedisServer(.appendOnly) { server in
            try await promise.check(try RedisStateSubject(server, claims: RedisStateSubject.storeClaims))
        }
    }

    @Test(arguments: CounterPromises.all.claimed(by: RedisStateSubject.counterClaims))
    func counters(promise: Promise<any CounterSubject>) async throws {
        try await withRedisServer { server in
            try await promise.check(try RedisStateSubject(server, claims: RedisStateSubject.counterClaims))
        }
    }

    @Test func allIsClaimed() {
        #expect(StateStorePromises.all.notClaimed(by: RedisStateSubject.storeClaims).isEmpty)
        #expect(CounterPromises.all.notClaimed(by: RedisStateSubject.counterClaims).isEmpty)
    }
}
