import Dramatiq
import DramatiqTestKit
import RedisTestSupport
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
            try await promise.check(
                TransportWithStoreApart(
                    InMemoryTransportSubject(claims: InMemoryTransportSubject.workflowClaims),
                    try await MemcachedSubject(servers[0], claims: MemcachedSubject.storeClaims)))
        }
    }

    @Test(arguments: WorkflowPromises.all.claimed(by: RedisTransportSubject.splitClaims))
    func workflowsOverRedis(promise: Promise<any TransportSubject>) async throws {
        try await withMemcachedServers(1) { servers in
            try await withRedisServer { redis in
                try await promise.check(
                    TransportWithStoreApart(
                        try RedisTransportSubject(redis, checking: promise),
                        try await MemcachedSubject(servers[0], claims: MemcachedSubject.storeClaims)))
            }
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
