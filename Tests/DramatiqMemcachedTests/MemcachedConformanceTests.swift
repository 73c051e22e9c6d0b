import Dramatiq
import DramatiqTestKit
import TestSupport
import Testing

/// The promises to barriers and counters in Memcached, and to workflows over them.
@Suite(.timeLimit(.minutes(10))) struct MemcachedConformanceTests {
    @Test(arguments: StateStorePromises.all.claimed(by: MemcachedSubject.storeClaims))
    func barriers(promise: Promise<any StateStoreSubject>) async throws {
        try await withMemcachedServers(1) { servers in
            try await promise.check(try await MemcachedSubject(servers[0], claims: MemcachedSubject.storeClaims))
        }
    }

    @Test(arguments: CounterPromises.all.claimed(by: MemcachedSubject.counterClaims))
    func counters(promise: Promise<any CounterSubject>) async throws {
        try await withMemcachedServers(1) { servers in
            try await promise.check(try await MemcachedSubject(servers[0], claims: MemcachedSubject.counterClaims))
        }
    }

    @Test(arguments: WorkflowPromises.all.claimed(by: InMemoryTransportSubject.splitClaims))
    func workflows(promise: Promise<any TransportSubject>) async throws {
        try await withMemcachedServers(1) { servers in
            let barriers = try await MemcachedSubject(servers[0], claims: MemcachedSubject.storeClaims)
            let store = try await barriers.makeStore()
            try await promise.check(
                InMemoryTransportSubject(
                    claims: InMemoryTransportSubject.splitClaims,
                    storing: { _ in store },
                    passing: { try await barriers.letPass($0) },
                    forgetting: { try await barriers.forget() }))
            await barriers.finish()
        }
    }

    /// A step at a barrier is whole, several are not; and nobody can wait for something in Memcached.
    @Test func whatIsNotClaimedIsWhatMemcachedCanNotDo() {
        let barriers = StateStorePromises.all.notClaimed(by: MemcachedSubject.storeClaims)
        #expect(barriers.allSatisfy { $0.needs == [.atomicSteps] })
        let counters = CounterPromises.all.notClaimed(by: MemcachedSubject.counterClaims)
        #expect(counters.allSatisfy { $0.needs == [.notifications] })
    }
}
