import DramatiqDedupStorage
import DramatiqRedis
import DramatiqTestKit
import DramatiqWorkflow
import RedisTestSupport
import Testing

/// The promises to workflows on a server.
@Suite(.timeLimit(.minutes(10))) struct RedisWorkflowStoreConformanceTests {
    private struct Subject: WorkflowStoreSubject, CallbackStorageSubject {
        static let claims: Set<Claim> = [.forgetting, .passingTime, .storeOperations]

        let claims: Set<Claim> = Subject.claims
        let place: RedisPlace

        private func make() throws -> RedisWorkflowStore {
            RedisWorkflowStore(try place.makeClient(faults) { _ in false }.executor, ttl: lifetime)
        }

        func makeStore() async throws -> any WorkflowStore { try make() }
        func makeStorage() async throws -> any CallbackStorage {
            DedupCallbackStorage(try make(), inlineLimit: 0, cache: WorkflowCache())
        }
        func letPass(_ time: Duration) async throws { try await place.letPass(time) }
        func forget() async throws { try await place.forget() }
        func finish() async { await place.finish() }
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject.claims))
    func workflows(promise: Promise<any WorkflowStoreSubject>) async throws {
        try await withRedisServer { server in
            try await promise.check(Subject(place: try RedisPlace(server)))
        }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject.claims))
    func callbacks(promise: Promise<any CallbackStorageSubject>) async throws {
        try await withRedisServer { server in
            try await promise.check(Subject(place: try RedisPlace(server)))
        }
    }
}
