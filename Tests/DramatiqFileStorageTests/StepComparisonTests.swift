import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqLZ4
import DramatiqWorkflow
import TestSupport
import Testing

/// Random trees, run to their end with each storage: every message that is sent, and what it says comes next, is what the
/// messages carry when nothing is stored.
@Suite(.timeLimit(.minutes(10))) struct StepComparisonTests {
    enum Kind: CaseIterable, Sendable {
        case dedup, dedupByCost, dedupWithoutCache, file, fileByCost, compressedFile, twoMethods, swapped
    }

    /// A user's store that knows nothing of contents and their names.
    private struct TwoMethods: WorkflowStore {
        struct Missing: Error {}
        let stored = Recorder<[UInt8]>()

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            ["number": .integer(stored.add(workflow) - 1)]
        }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            guard let number = reference.objectValue?["number"]?.intValue, stored.values.indices.contains(number) else {
                throw Missing()
            }
            return stored.values[number]
        }
    }

    /// Stores with one and the other in turn, as when a fleet is in the middle of a swap.
    private struct Swapping: CallbackStorage {
        let first: any CallbackStorage
        let second: any CallbackStorage
        let turns = Recorder<Bool>()

        func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
            let isFirst = turns.add(true) % 2 == 0
            return try await (isFirst ? first.reading(second) : second.reading(first)).store(callbacks)
        }

        func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
            let isFirst = turns.add(true) % 2 == 0
            return try await (isFirst ? first.reading(second) : second.reading(first)).retrieve(reference)
        }
    }

    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func storage(_ kind: Kind) -> any CallbackStorage {
        func directory(_ name: String, _ compressor: (any Compressor)? = nil) -> StorageDirectory {
            StorageDirectory("\(scratch.path)/\(name)", durability: .processFailure, compressor: compressor)
        }
        let memory = InMemoryWorkflowStore()
        return switch kind {
        case .dedup: DedupCallbackStorage(memory, inlineLimit: 0, cache: WorkflowCache())
        case .dedupByCost: DedupCallbackStorage(memory, cache: WorkflowCache())
        case .dedupWithoutCache: DedupCallbackStorage(memory, inlineLimit: 0, cache: WorkflowCache(maxSize: 0))
        case .file: FileCallbackStorage(directory("file"), inlineLimit: 0, cache: WorkflowCache(maxSize: 4096))
        case .fileByCost: FileCallbackStorage(directory("cost"), cache: WorkflowCache())
        case .compressedFile:
            DedupCallbackStorage(
                FileWorkflowStore(directory("compressed", LZ4Compressor())), inlineLimit: 100, cache: WorkflowCache())
        case .twoMethods: DedupCallbackStorage(TwoMethods(), inlineLimit: 0, cache: WorkflowCache())
        case .swapped:
            Swapping(
                first: DedupCallbackStorage(memory, inlineLimit: 0, cache: WorkflowCache()),
                second: FileCallbackStorage(directory("swap"), inlineLimit: 0, cache: WorkflowCache()))
        }
    }

    /// What a message says, but for what is made anew in each run.
    private struct Step: Hashable, CustomStringConvertible {
        let task: String
        /// What comes next, outermost first, and whether what is around is looked at, too.
        let rests: [String]

        var description: String { "\(task): \(rests.joined(separator: " | "))" }
    }

    private func steps(_ root: WorkflowNode, _ storage: any CallbackStorage) async throws -> [Step] {
        var steps: [Step] = []
        try await WorkflowRehearsal(callbackStorage: storage).run(root) { message in
            var rests: [String] = []
            if let reference = message.options["workflow_completion_callbacks"] {
                for callback in try await storage.retrieve(reference) {
                    rests.append("\(callback.propagates) \(try await callback.remaining?.load() as JSONValue?)")
                }
            }
            steps.append(Step(task: "\(message.queueName) \(message.actorName) \(message.args)", rests: rests))
        }
        return steps
    }

    @Test(arguments: Kind.allCases)
    func everyStepIsTheSameAsWithoutAStorage(kind: Kind) async throws {
        let actor = TaskActor("task") { (_: Int, _: Int) in }
        for seed in TestSeed.first(120) {
            // The ids of messages are those of one definition.
            let tree = RandomTree(seed: seed.value) { actor.message($0, $1) }
            let inline = try await steps(tree.root, InlineCallbackStorage())
            let stored = try await steps(tree.root, storage(kind))
            #expect(stored == inline, "\(seed)")
        }
    }
}
