import Dramatiq
import DramatiqDedupStorage
import DramatiqTestKit
import DramatiqWorkflow
import TestSupport
import Testing

/// The promises to callbacks over a store, and to the store in memory.
@Suite(.timeLimit(.minutes(10))) struct DedupConformanceTests {
    private struct Subject: CallbackStorageSubject, WorkflowStoreSubject {
        let claims: Set<Claim> = [.forgetting, .passingTime, .storeOperations]
        private let clock: TestClock
        private let store: InMemoryWorkflowStore

        init() {
            let clock = TestClock()
            self.clock = clock
            store = InMemoryWorkflowStore(now: { clock.instant })
        }

        func makeStorage() async throws -> any CallbackStorage {
            DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache())
        }
        func makeStore() async throws -> any WorkflowStore { store }
        func letPass(_ time: Duration) async throws { clock.advance(by: time) }
        func forget() async throws { store.removeAll() }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject().claims))
    func callbacks(promise: Promise<any CallbackStorageSubject>) async throws {
        try await promise.check(Subject())
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject().claims))
    func workflows(promise: Promise<any WorkflowStoreSubject>) async throws {
        try await promise.check(Subject())
    }
}
