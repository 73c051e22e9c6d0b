import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqLZ4
import DramatiqTestKit
import DramatiqWorkflow
import DramatiqZlib
import Foundation
import TestSupport
import Testing

/// The promises to callbacks and workflows in files.
@Suite(.timeLimit(.minutes(10))) struct FileConformanceTests {
    /// Files whose dates go back as time passes, and are swept then.
    private struct Subject: CallbackStorageSubject, WorkflowStoreSubject {
        static let claims: Set<Claim> = [.forgetting, .passingTime, .storeOperations, .removing]

        let claims: Set<Claim> = Subject.claims
        let lifetime: Duration = StorageRetention().age
        /// What stores the callbacks, or keeps the workflows.
        private let form: Form
        private let scratch: ScratchDirectory
        private let directory: StorageDirectory
        private let clock = TestClock()
        private let memory: InMemoryWorkflowStore

        init(_ form: Form) throws {
            self.form = form
            scratch = try ScratchDirectory()
            directory = StorageDirectory(scratch.storage)
            memory = InMemoryWorkflowStore(now: { [clock] in clock.instant })
        }

        private var store: any WorkflowStoreOperations {
            let files = FileWorkflowStore(directory)
            return switch form {
            case .file, .dedup: files
            case .lz4: files.compressed(with: LZ4Compressor())
            case .zlib: files.compressed(with: ZlibCompressor(), reading: LZ4Compressor())
            case .tiered: memory.tiered(above: 1000, to: files)
            }
        }

        func makeStore() async throws -> any WorkflowStore { store }

        func makeStorage() async throws -> any CallbackStorage {
            if form == .file { return FileCallbackStorage(directory, inlineLimit: 0, cache: WorkflowCache()) }
            return dedup(store)
        }

        private func dedup(_ store: some WorkflowStore) -> any CallbackStorage {
            DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache())
        }

        func letPass(_ time: Duration) async throws {
            clock.advance(by: time)
            for file in scratch.contents {
                let date = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
                let earlier = try #require(date).addingTimeInterval(-Double(time.components.seconds))
                try FileManager.default.setAttributes([.modificationDate: earlier], ofItemAtPath: file)
            }
            // There is no directory yet if all was small.
            if !scratch.contents.isEmpty { _ = try await directory.sweep() }
        }

        func forget() async throws {
            memory.removeAll()
            for file in scratch.contents { try FileManager.default.removeItem(atPath: file) }
        }
    }

    private enum Form: CaseIterable {
        case file, dedup, lz4, zlib, tiered
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject.claims), Form.allCases)
    private func callbacks(promise: Promise<any CallbackStorageSubject>, form: Form) async throws {
        try await promise.check(try Subject(form))
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject.claims), Form.allCases.filter { $0 != .file })
    private func workflows(promise: Promise<any WorkflowStoreSubject>, form: Form) async throws {
        try await promise.check(try Subject(form))
    }
}
