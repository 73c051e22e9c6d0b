import Crypto
import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage

@Suite(.timeLimit(.minutes(10))) struct FileWorkflowStoreTests {
    private let scratch: ScratchDirectory
    private let store: FileWorkflowStore
    private let workflow = Array(#"{"__type__":"chain","children":[]}"#.utf8)

    init() throws {
        scratch = try ScratchDirectory()
        store = FileWorkflowStore(directory: scratch.storage)
    }

    private func sha256(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    }

    @Test func whatIsStoredIsLoaded() async throws {
        var generator = SeededGenerator(seed: 1)
        for size in [0, 1, 63, 64, 4095, 4096, 1_000_000] {
            let content = (0..<size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            let reference = try await store.store(content, completionID: "a")
            try await #expect(store.load(reference, completionID: "a") == content)
        }
    }

    @Test func theReferenceIsTheDigest() async throws {
        let reference = try await store.store(workflow, completionID: "a")
        #expect(reference == .string("sha256:" + sha256(workflow)))
    }

    @Test func theSameContentTakesTheSpaceOnce() async throws {
        let first = try await store.store(workflow, completionID: "a")
        let second = try await store.store(workflow, completionID: "b")
        #expect(first == second)
        #expect(scratch.contents.count == 1)
    }

    @Test func aFileSaysWhatItIs() async throws {
        _ = try await store.store(workflow, completionID: "a")
        let digest = sha256(workflow)
        let file = try #require(scratch.contents.first)
        #expect(file.hasSuffix("/\(digest.prefix(1))/\(digest.dropFirst().prefix(1))/\(digest)"))
        let header = Array("dramatiq-workflow 1 none \(workflow.count)\n".utf8)
        try #expect(ScratchDirectory.read(file) == header + workflow)
    }

    @Test func nothingElseIsLeftInTheDirectory() async throws {
        for number in 0..<50 { _ = try await store.store(Array("\(number)".utf8), completionID: "a") }
        let names = scratch.files.map { ($0 as NSString).lastPathComponent }
        #expect(names.filter { $0.count == 64 }.count == 50)
        #expect(names.allSatisfy { $0.count == 1 || $0.count == 64 || $0 == ".lock" })
    }

    @Test func directoriesOnTheWayAreMade() async throws {
        let store = FileWorkflowStore(directory: scratch.path + "/a/b/c/")
        let reference = try await store.store(workflow, completionID: "a")
        try await #expect(store.load(reference, completionID: "a") == workflow)
        // And made again when somebody has removed them under a running process.
        try FileManager.default.removeItem(atPath: scratch.path + "/a")
        _ = try await store.store(workflow, completionID: "a")
        try await #expect(store.load(reference, completionID: "a") == workflow)
    }

    @Test func withoutDurabilityItIsTheSame() async throws {
        let store = FileWorkflowStore(directory: scratch.storage, durability: .processFailure)
        let reference = try await store.store(workflow, completionID: "a")
        try await #expect(store.load(reference, completionID: "a") == workflow)
        #expect(scratch.contents.count == 1)
    }

    @Test func manyAtOnce() async throws {
        let contents = (0..<40).map { Array("content \($0)".utf8) }
        try await withThrowingTaskGroup(of: Void.self) { [store] group in
            for number in 0..<400 {
                group.addTask {
                    let content = contents[number % contents.count]
                    let reference = try await store.store(content, completionID: "a")
                    try await #expect(store.load(reference, completionID: "a") == content)
                }
            }
            try await group.waitForAll()
        }
        #expect(scratch.contents.count == contents.count)
    }

    @Test func aTaskThatIsCancelledBeforeItsTurnStoresNothing() async throws {
        let task = Task { [store, workflow] in
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try await store.store(workflow, completionID: "a")
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(scratch.files.isEmpty)
    }

    // MARK: Compression

    @Test func aCompressorMakesFilesSmallerAndTheNameStays() async throws {
        let content = Array(repeating: UInt8(ascii: "x"), count: 10_000)
        let compressing = FileWorkflowStore(directory: scratch.storage, compressor: RunLengthCompressor())
        let reference = try await compressing.store(content, completionID: "a")
        #expect(reference == .string("sha256:" + sha256(content)))
        let file = try ScratchDirectory.read(try #require(scratch.contents.first))
        #expect(file.count < 200)
        #expect(file.starts(with: Array("dramatiq-workflow 1 runs 10000\n".utf8)))
        try await #expect(compressing.load(reference, completionID: "a") == content)
    }

    @Test func whatCompressionMakesLargerStaysAsItIs() async throws {
        let compressing = FileWorkflowStore(directory: scratch.storage, compressor: RunLengthCompressor())
        let reference = try await compressing.store(workflow, completionID: "a")
        // Read by one that has no compressor.
        try await #expect(store.load(reference, completionID: "a") == workflow)
    }

    @Test func readersNeedTheCompressor() async throws {
        let content = Array(repeating: UInt8(ascii: "x"), count: 10_000)
        let compressing = FileWorkflowStore(directory: scratch.storage, compressor: RunLengthCompressor())
        let reference = try await compressing.store(content, completionID: "a")
        let error = try await #require(throws: FileStorageError.self) {
            try await store.load(reference, completionID: "a")
        }
        #expect(error.code == .unknownCodec)
        #expect(error.description.contains("'runs'"))
        #expect(error.path == scratch.contents.first)
        let reading = FileWorkflowStore(
            StorageDirectory(scratch.storage, readableCompressors: [RunLengthCompressor()]))
        try await #expect(reading.load(reference, completionID: "a") == content)
    }

    @Test func oneThatCannotReadACopyStoresItsOwn() async throws {
        let content = Array(repeating: UInt8(ascii: "x"), count: 10_000)
        let compressing = FileWorkflowStore(directory: scratch.storage, compressor: RunLengthCompressor())
        _ = try await compressing.store(content, completionID: "a")
        let reference = try await store.store(content, completionID: "a")
        try await #expect(store.load(reference, completionID: "a") == content)
        try await #expect(compressing.load(reference, completionID: "a") == content)
        #expect(scratch.contents.count == 1)
    }

    // MARK: Limits

    @Test func whatIsTooLargeIsNotStored() async throws {
        let small = FileWorkflowStore(StorageDirectory(scratch.storage, maxSize: 100))
        _ = try await small.store(Array(repeating: 1, count: 100), completionID: "a")
        let error = try await #require(throws: FileStorageError.self) {
            _ = try await small.store(Array(repeating: 1, count: 101), completionID: "a")
        }
        #expect(error.code == .tooLarge)
        #expect(error.description.contains("101 bytes"))
        #expect(scratch.contents.count == 1)
    }
}
