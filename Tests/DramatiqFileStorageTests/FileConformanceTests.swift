import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqTestKit
import DramatiqWorkflow
import Foundation
import Testing

/// The promises to callbacks and workflows in files.
@Suite(.timeLimit(.minutes(10))) struct FileConformanceTests {
    /// Files whose dates go back as time passes, and are swept then.
    private struct Subject: CallbackStorageSubject, WorkflowStoreSubject {
        static let claims: Set<Claim> = [.forgetting, .passingTime, .storeOperations]

        let claims: Set<Claim> = Subject.claims
        let lifetime: Duration = StorageRetention().age
        let isDedup: Bool
        private let scratch: ScratchDirectory
        private let directory: StorageDirectory

        init(isDedup: Bool = false) throws {
            self.isDedup = isDedup
            scratch = try ScratchDirectory()
            directory = StorageDirectory(scratch.storage)
        }

        func makeStore() async throws -> any WorkflowStore { FileWorkflowStore(directory) }

        func makeStorage() async throws -> any CallbackStorage {
            if isDedup {
                return DedupCallbackStorage(FileWorkflowStore(directory), inlineLimit: 0, cache: WorkflowCache())
            }
            return FileCallbackStorage(directory, inlineLimit: 0, cache: WorkflowCache())
        }

        func letPass(_ time: Duration) async throws {
            for file in scratch.contents {
                let date = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
                let earlier = try #require(date).addingTimeInterval(-Double(time.components.seconds))
                try FileManager.default.setAttributes([.modificationDate: earlier], ofItemAtPath: file)
            }
            _ = try await directory.sweep()
        }

        func forget() async throws {
            for file in scratch.contents { try FileManager.default.removeItem(atPath: file) }
        }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject.claims), [false, true])
    func callbacks(promise: Promise<any CallbackStorageSubject>, isDedup: Bool) async throws {
        try await promise.check(try Subject(isDedup: isDedup))
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject.claims))
    func workflows(promise: Promise<any WorkflowStoreSubject>) async throws {
        try await promise.check(try Subject())
    }
}
