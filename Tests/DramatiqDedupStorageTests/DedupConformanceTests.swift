import Dramatiq
import DramatiqDedupStorage
import DramatiqTestKit
import DramatiqWorkflow
import TestSupport
import Testing

/// The promises to callbacks over a store, and to the store in memory, with all that stores can be built of.
@Suite(.timeLimit(.minutes(10))) struct DedupConformanceTests {
    private struct Subject: CallbackStorageSubject, WorkflowStoreSubject {
        static let claims: Set<Claim> = [.forgetting, .passingTime, .storeOperations, .removing]

        let claims: Set<Claim> = Subject.claims
        private let parts: StoreParts
        private let clock = TestClock()
        private let stores: [InMemoryWorkflowStore]

        init(_ parts: StoreParts) {
            self.parts = parts
            stores = [0, 1].map { [clock] _ in InMemoryWorkflowStore(now: { clock.instant }) }
        }

        private var store: any WorkflowStoreOperations { parts.build(stores[0], stores[1]) }

        func makeStorage() async throws -> any CallbackStorage { dedup(store) }
        func makeStore() async throws -> any WorkflowStore { store }
        func letPass(_ time: Duration) async throws { clock.advance(by: time) }
        func forget() async throws { for store in stores { store.removeAll() } }

        private func dedup(_ store: some WorkflowStore) -> any CallbackStorage {
            DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache())
        }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject.claims), StoreParts.allCases)
    func callbacks(promise: Promise<any CallbackStorageSubject>, parts: StoreParts) async throws {
        try await promise.check(Subject(parts))
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject.claims), StoreParts.allCases)
    func workflows(promise: Promise<any WorkflowStoreSubject>, parts: StoreParts) async throws {
        try await promise.check(Subject(parts))
    }
}
