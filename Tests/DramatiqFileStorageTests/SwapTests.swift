import Dramatiq
import DramatiqDedupStorage
import DramatiqLZ4
import DramatiqWorkflow
import DramatiqZlib
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// Messages of one storage that are still on their way when another takes its place.
@Suite(.timeLimit(.minutes(10))) struct SwapTests {
    enum Kind: String, CaseIterable, Sendable {
        case inline, file, otherFile, compressedFile, dedupFile, dedupOtherFile, dedupMemory
    }

    private let scratch: ScratchDirectory
    private let memory = InMemoryWorkflowStore()

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func storage(_ kind: Kind) -> any CallbackStorage {
        let directory = StorageDirectory(scratch.path + "/first", durability: .processFailure)
        let other = StorageDirectory(
            scratch.path + "/second", durability: .processFailure, readableCompressors: [ZlibCompressor()])
        let compressed = StorageDirectory(
            scratch.path + "/second", durability: .processFailure, compressor: ZlibCompressor())
        return switch kind {
        case .inline: InlineCallbackStorage()
        case .file: FileCallbackStorage(directory, inlineLimit: 0, cache: WorkflowCache())
        case .otherFile: FileCallbackStorage(other, inlineLimit: 0, cache: WorkflowCache())
        case .compressedFile: FileCallbackStorage(compressed, inlineLimit: 0, cache: WorkflowCache())
        case .dedupFile: DedupCallbackStorage(FileWorkflowStore(directory), inlineLimit: 0, cache: WorkflowCache())
        case .dedupOtherFile: DedupCallbackStorage(FileWorkflowStore(other), inlineLimit: 0, cache: WorkflowCache())
        case .dedupMemory: DedupCallbackStorage(memory, inlineLimit: 0, cache: WorkflowCache())
        }
    }

    private func workflow(_ stage: Stage) -> Workflow {
        let m = stage.task.message
        return Workflow(broker: stage.broker) {
            Chain {
                Chain {
                    m("a")
                    Group {
                        m("b1")
                        Chain(m("b2"), m("b3"))
                    }
                    Group { for number in 0..<20 { m("c\(number)") } }
                }
                Group { for number in 0..<20 { m("d\(number)") } }
                m("e")
            }
        }
    }

    private static let names =
        ["a", "b1", "b2", "b3", "e"] + (0..<20).flatMap { ["c\($0)", "d\($0)"] }

    /// Each pair of two that differ.
    private static let pairs = Kind.allCases.flatMap { old in
        Kind.allCases.filter { $0 != old }.map { (old, $0) }
    }

    @Test(arguments: pairs, [1, 3, 15])
    func workflowsGoOnAfterASwap(pair: (old: Kind, new: Kind), after: Int) async throws {
        let old = try await Stage(storage: storage(pair.old))
        try await workflow(old).run()
        try await withWorker(old.worker) { try await eventually { old.ran.count >= after } }
        let new = try await old.swapping(to: storage(pair.new).reading(storage(pair.old)))
        try await new.work()
        #expect(Set(new.ran.values) == Set(Self.names))
        #expect(new.ran.values.last == "e")
        #expect(new.transport.deadLetters().isEmpty)
        #expect(new.backend.keyCount == 0)
    }

    @Test(arguments: Kind.allCases)
    func callbacksInTheMessagesNeedNoOlderStorage(kind: Kind) async throws {
        let old = try await Stage()
        try await workflow(old).run()
        let new = try await old.swapping(to: storage(kind))
        try await new.work()
        #expect(new.ran.values.sorted() == Self.names.sorted())
    }

    @Test func whatWasCarriedOnIsMovedToTheNewStorage() async throws {
        let old = try await Stage(storage: storage(.dedupMemory))
        try await workflow(old).run()
        let new = try await old.swapping(to: storage(.file).reading(storage(.dedupMemory)))
        // After the first step nothing is left that the old storage has.
        try await withWorker(new.worker) { try await eventually { new.ran.values.contains("b1") } }
        memory.removeAll()
        let last = try await old.swapping(to: storage(.file))
        try await last.work()
        #expect(Set(last.ran.values) == Set(Self.names))
        #expect(last.transport.deadLetters().isEmpty)
    }

    @Test func withoutTheOlderStorageTheDeadLetterSaysWhatToDo() async throws {
        let old = try await Stage(storage: storage(.file))
        try await workflow(old).run()
        let new = try await old.swapping(to: storage(.dedupMemory))
        try await new.work()
        let letter = try #require(new.transport.deadLetters().first)
        #expect(letter.reason.contains("stored by the callback storage 'file'"))
        #expect(letter.reason.contains("callbackStorage: new.reading(old)"))
        let both = try await old.swapping(to: storage(.dedupMemory).reading(storage(.file)))
        try both.transport.requeueDeadLetter(letter.id)
        try await both.work()
        #expect(Set(both.ran.values) == Set(Self.names))
    }

    @Test func theErrorIsThatOfTheStorageWhichShouldHaveIt() async throws {
        let file = try #require(storage(.file) as? FileCallbackStorage)
        let chain: JSONValue = ["__type__": "chain", "children": [["__type__": "group", "children": []]]]
        let reference = try await file.store([
            CompletionCallback(completionID: "a", remaining: RemainingWorkflow(chain), propagates: true)
        ])
        try FileManager.default.removeItem(atPath: scratch.path + "/first")
        let other = FileCallbackStorage(file.directory, inlineLimit: 0, cache: WorkflowCache())
        await #expect(throws: FileStorageError.self) {
            _ = try await storage(.dedupMemory).reading(storage(.inline), other).retrieve(reference)[0].remaining?
                .load()
        }
    }
}
