import DramatiqDedupStorage
import DramatiqRedis
import DramatiqTestKit
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// The promises to workflows on a server.
@Suite(.timeLimit(.minutes(10))) struct RedisWorkflowStoreConformanceTests {
    private struct Subject: WorkflowStoreSubject, CallbackStorageSubject {
        static let claims: Set<Claim> = [.forgetting, .passingTime, .storeOperations, .removing]

        let claims: Set<Claim> = Subject.claims
        let place: RedisPlace
        let parts: StoreParts

        private func make() throws -> any WorkflowStoreOperations {
            let executor = try place.makeClient(faults) { _ in false }.executor
            return parts.build(
                RedisWorkflowStore(executor, ttl: lifetime),
                RedisWorkflowStore(executor, namespace: "[la*rge]", ttl: lifetime))
        }

        func makeStore() async throws -> any WorkflowStore { try make() }
        func makeStorage() async throws -> any CallbackStorage { dedup(try make()) }
        private func dedup(_ store: some WorkflowStore) -> any CallbackStorage {
            DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache())
        }
        func letPass(_ time: Duration) async throws { try await place.letPass(time) }
        func forget() async throws { try await place.forget() }
        func finish() async { await place.finish() }
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject.claims), StoreParts.allCases)
    func workflows(promise: Promise<any WorkflowStoreSubject>, parts: StoreParts) async throws {
        try await withRedisServer { server in
            try await promise.check(Subject(place: try RedisPlace(server), parts: parts))
        }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject.claims), StoreParts.allCases)
    func callbacks(promise: Promise<any CallbackStorageSubject>, parts: StoreParts) async throws {
        try await withRedisServer { server in
            try await promise.check(Subject(place: try RedisPlace(server), parts: parts))
        }
    }
}
