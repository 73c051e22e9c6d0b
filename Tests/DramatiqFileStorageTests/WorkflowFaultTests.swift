import Dramatiq
import DramatiqDedupStorage
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// What storage faults mean for workflows.
@Suite(.timeLimit(.minutes(10))) struct WorkflowFaultTests {
    enum Kind: CaseIterable, Sendable {
        case file
        case dedup
    }

    private let scratch: ScratchDirectory
    /// Keeps nothing, so that each step needs the files.
    private let cache = WorkflowCache(maxSize: 0)

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func storage(_ kind: Kind) -> any CallbackStorage {
        let directory = StorageDirectory(scratch.storage)
        return switch kind {
        case .file: FileCallbackStorage(directory, inlineLimit: 0, cache: cache)
        case .dedup: DedupCallbackStorage(FileWorkflowStore(directory), inlineLimit: 0, cache: cache)
        }
    }

    @Test(arguments: Kind.allCases)
    func aMissingFilePutsTheMessageAsideUntilItIsBack(kind: Kind) async throws {
        let stage = try await Stage(storage: storage(kind))
        let m = stage.task.message
        try await Workflow(Chain(m("a"), Group(m("b"), m("b")), m("c")), broker: stage.broker).run()
        let files = scratch.storage
        try FileManager.default.moveItem(atPath: files, toPath: files + ".lost")
        try await stage.work()
        #expect(stage.ran.values == ["a"])
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(letter.reason.contains(files))
        #expect(letter.reason.contains("No such file or directory"))
        try FileManager.default.moveItem(atPath: files + ".lost", toPath: files)
        try stage.transport.requeueDeadLetter(letter.id)
        try await stage.work()
        // The message that was put aside ran again; what came after it came once.
        #expect(stage.ran.values == ["a", "a", "b", "b", "c"])
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(stage.backend.keyCount == 0)
    }

    @Test(arguments: Kind.allCases)
    func aFileThatComesBackInTimeIsNoFault(kind: Kind) async throws {
        let stage = try await Stage(storage: storage(kind))
        let m = stage.task.message
        try await Workflow(Chain(m("a"), m("b")), broker: stage.broker).run()
        let files = scratch.storage
        try FileManager.default.moveItem(atPath: files, toPath: files + ".lost")
        let worker = Worker(
            stage.broker, concurrency: 1,
            transitionRetries: TransitionRetryPolicy(
                attempts: 10_000, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(5)))
        try await withWorker(worker) {
            try await eventually { stage.log.complaints.contains { "\($0)".contains("No such file") } }
            #expect(stage.transport.unfinishedCount(queues: ["default"]) == 1)
            try FileManager.default.moveItem(atPath: files + ".lost", toPath: files)
            try await stage.transport.joinAll()
        }
        #expect(stage.ran.values == ["a", "b"])
    }

    @Test(arguments: Kind.allCases)
    func aDamagedFileIsTheReasonOfADeadLetter(kind: Kind) async throws {
        let stage = try await Stage(storage: storage(kind))
        let m = stage.task.message
        try await Workflow(Chain(m("a"), m("b")), broker: stage.broker).run()
        let file = try #require(scratch.contents.first)
        let intact = try ScratchDirectory.read(file)
        var damaged = intact
        damaged[intact.count - 10] ^= 1
        try ScratchDirectory.write(damaged, file)
        try await stage.work()
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(letter.reason.contains("'\(file)': The content is not what was stored"))
        try ScratchDirectory.write(intact, file)
        try stage.transport.requeueDeadLetter(letter.id)
        try await stage.work()
        #expect(stage.ran.values == ["a", "a", "b"])
    }

    /// Stores where nothing can be stored until it is told that the disk is repaired; what is there can be read.
    private struct Breakdown: CallbackStorage {
        let working: any CallbackStorage
        let broken: any CallbackStorage
        let repairs = Recorder<Bool>()

        func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
            try await (repairs.values.last == false ? broken : working).store(callbacks)
        }

        func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
            try await working.retrieve(reference)
        }
    }

    @Test(arguments: Kind.allCases)
    func aStepWhoseRestCannotBeStoredIsNotTakenHalf(kind: Kind) async throws {
        let file = scratch.path + "/file"
        try ScratchDirectory.write([], file)
        let nowhere = StorageDirectory(file + "/storage")
        let breakdown = Breakdown(
            working: storage(kind),
            broken: kind == .file
                ? FileCallbackStorage(nowhere, inlineLimit: 0, cache: cache)
                : DedupCallbackStorage(FileWorkflowStore(nowhere), inlineLimit: 0, cache: cache))
        // Carried by the messages so far, so the next step has something to be stored.
        let earlier = try await Stage()
        let stage = try await earlier.swapping(to: breakdown)
        let m = stage.task.message
        try await Workflow(broker: earlier.broker) {
            Chain {
                m("a")
                Chain {
                    Group { for _ in 0..<5 { m("b") } }
                    m("c")
                }
                m("d")
            }
        }.run()
        breakdown.repairs.add(false)
        try await stage.work()
        #expect(stage.ran.values == ["a"])
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(letter.reason.contains("Can't store '\(file)/storage': Not a directory"))
        breakdown.repairs.add(true)
        try stage.transport.requeueDeadLetter(letter.id)
        try await stage.work()
        #expect(stage.ran.values == ["a", "a", "b", "b", "b", "b", "b", "c", "d"])
        #expect(stage.backend.keyCount == 0)
    }
}
