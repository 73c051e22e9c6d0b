import Dramatiq
import DramatiqDedupStorage
import DramatiqS3Storage
import DramatiqTestKit
import DramatiqWorkflow
import Synchronization
import TestSupport
import Testing

/// The promises to stores, and to callbacks over this one.
@Suite(.timeLimit(.minutes(10))) struct S3ConformanceTests {
    private final class Subject: CallbackStorageSubject, WorkflowStoreSubject {
        static let claims: Set<Claim> = [.forgetting, .passingTime, .storeOperations, .removing]
        let s3: FaultyS3
        private let passed = Mutex(Duration.zero)

        init(_ s3: FaultyS3) {
            self.s3 = s3
        }

        var claims: Set<Claim> { Self.claims }
        /// Days, which objects are renewed after.
        var lifetime: Duration { .seconds(4 * 86_400) }

        private func store() throws -> S3WorkflowStore {
            try s3.store { $0.retention = S3Retention(lifetime: lifetime) }
        }

        func makeStore() async throws -> any WorkflowStore { try store() }
        func makeStorage() async throws -> any CallbackStorage {
            DedupCallbackStorage(try store(), inlineLimit: 0, cache: WorkflowCache())
        }

        /// Sweeps run all the time.
        func letPass(_ time: Duration) async throws {
            try await s3.server.setClock(
                ahead: passed.withLock { passed in
                    passed += time
                    return passed
                })
            _ = try await store().sweep()
        }

        func forget() async throws {
            try await s3.server.reset()
            try await s3.makeBucket()
        }
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject.claims))
    func workflows(promise: Promise<any WorkflowStoreSubject>) async throws {
        try await FaultyS3.run { try await promise.check(Subject($0)) }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject.claims))
    func callbacks(promise: Promise<any CallbackStorageSubject>) async throws {
        try await FaultyS3.run { try await promise.check(Subject($0)) }
    }
}
