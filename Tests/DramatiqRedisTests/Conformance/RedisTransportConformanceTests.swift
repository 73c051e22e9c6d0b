import Dramatiq
import DramatiqTestKit
import RedisTestSupport
import TestSupport
import Testing

/// The promises to messages on a server, and to workflows over it.
@Suite(.timeLimit(.minutes(10))) struct RedisTransportConformanceTests {
    @Test(arguments: TransportPromises.all.claimed(by: RedisTransportSubject.claims))
    func messages(promise: Promise<any TransportSubject>) async throws {
        try await withRedisServer(.appendOnly) { server in
            try await promise.check(try RedisTransportSubject(server, checking: promise))
        }
    }

    @Test(arguments: WorkflowPromises.all.claimed(by: RedisTransportSubject.claims))
    func workflows(promise: Promise<any TransportSubject>) async throws {
        try await withRedisServer { server in
            try await promise.check(try RedisTransportSubject(server, checking: promise))
        }
    }

    @Test(arguments: WorkflowPromises.all.claimed(by: RedisTransportSubject.splitClaims))
    func workflowsWithBarriersInMemory(promise: Promise<any TransportSubject>) async throws {
        try await withRedisServer { server in
            try await promise.check(
                TransportWithStoreApart(
                    try RedisTransportSubject(server, checking: promise),
                    InMemoryStateSubject(claims: InMemoryStateSubject.storeClaims)))
        }
    }

    @Test(arguments: WorkflowPromises.all.claimed(by: InMemoryTransportSubject.splitClaims))
    func workflowsInMemoryWithBarriersOnAServer(promise: Promise<any TransportSubject>) async throws {
        try await withRedisServer { server in
            try await promise.check(
                TransportWithStoreApart(
                    InMemoryTransportSubject(claims: InMemoryTransportSubject.workflowClaims),
                    try RedisStateSubject(server, claims: RedisStateSubject.storeClaims)))
        }
    }

    @Test func whatIsNotClaimedNeedsAnotherKindOfTransport() {
        let promises = TransportPromises.all.notClaimed(by: RedisTransportSubject.claims)
        #expect(promises.map(\.needs).allSatisfy { !$0.isDisjoint(with: [.priorities, .immediacy]) })
        #expect(promises.count == 2)
        #expect(WorkflowPromises.all.notClaimed(by: RedisTransportSubject.claims).isEmpty)
    }
}
