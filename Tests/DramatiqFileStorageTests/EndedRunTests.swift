import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqTestKit
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

/// What runs have stored in files goes when they have ended.
@Suite(.timeLimit(.minutes(10))) struct EndedRunTests {
    private let scratch: ScratchDirectory
    private let directory: StorageDirectory
    private let cache = WorkflowCache()

    init() throws {
        scratch = try ScratchDirectory()
        directory = StorageDirectory(scratch.storage, durability: .processFailure)
    }

    private enum Kind: CaseIterable {
        case file, dedup
    }

    private func storage(_ kind: Kind) -> any CallbackStorage {
        switch kind {
        case .file: FileCallbackStorage(directory, inlineLimit: 0, cache: cache)
        case .dedup: DedupCallbackStorage(FileWorkflowStore(directory), inlineLimit: 0, cache: cache)
        }
    }

    @Test(arguments: Kind.allCases) private func aThousandEndedRunsLeaveNothing(kind: Kind) async throws {
        let stage = try await Stage(storage: storage(kind))
        let runs = try await StoredRuns(stage.broker, FileWorkflowStore(directory))
        for number in 0..<1000 { try await runs.workflow("\(number)").run() }
        #expect(scratch.contents.count == 1000)
        try await stage.work()
        try await runs.expectNothing()
        #expect(scratch.contents.isEmpty)
        #expect(runs.counts.count == 1000 * StoredRuns.taskCount)
        #expect(stage.transport.deadLetters().isEmpty)
        let others = try await directory.statistics()
        #expect(others.temporaryCount == 0 && others.foreignCount == 0)
    }

    /// Nested so deep that callbacks are files themselves.
    private func deep(_ runs: StoredRuns, _ name: String) -> Workflow {
        var node = WorkflowNode.chain([
            .message(runs.task.message("\(name) in")), .message(runs.task.message("\(name) then")),
        ])
        for level in 0..<150 { node = .chain([.group([node]), .message(runs.task.message("\(name) \(level)"))]) }
        return Workflow(node, broker: runs.broker)
    }

    @Test func callbacksThatAreFilesGoAsWellAndAreNotMissed() async throws {
        let tap = SentMessages()
        let stage = try await Stage(storage: storage(.file), middleware: Broker.defaultMiddleware + [tap])
        let runs = try await StoredRuns(stage.broker, FileWorkflowStore(directory))
        try await deep(runs, "x").run()
        #expect(scratch.contents.count == 2, "what remains, and callbacks")
        try await stage.work()
        try await runs.expectNothing()
        #expect(runs.counts.count == 152)
        // Each comes once more.
        cache.removeAll()
        let sent = tap.sent.values
        let counts = runs.counts
        try await stage.broker.commit(Commit(sends: Envelopes(sent)))
        try await stage.work()
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(runs.counts == counts.mapValues { $0 + 1 })
        #expect(tap.sent.count == 2 * sent.count, "nothing followed")
        #expect(scratch.contents.isEmpty)
    }

    @Test func messagesOfACancelledRunWhoseCallbacksAreFilesAreDropped() async throws {
        let tap = SentMessages()
        let stage = try await Stage(storage: storage(.file), middleware: Broker.defaultMiddleware + [tap])
        let runs = try await StoredRuns(stage.broker, FileWorkflowStore(directory))
        let run = try await deep(runs, "x").run()
        try await run.cancel()
        try await stage.work()
        try await runs.expectNothing()
        cache.removeAll()
        try await stage.broker.commit(Commit(sends: Envelopes(tap.sent.values)))
        try await stage.work()
        #expect(runs.counts.isEmpty || runs.counts == ["x in": 1], "dropped, or done for nothing")
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(scratch.contents.isEmpty)
    }

    @Test func callbacksOfOtherWorkflowsThatAreMissingAreStillAnError() async throws {
        let stage = try await Stage(storage: storage(.file), tracking: .disabled)
        let runs = try await StoredRuns(stage.broker, FileWorkflowStore(directory))
        try await deep(runs, "x").run()
        cache.removeAll()
        for file in scratch.contents { try FileManager.default.removeItem(atPath: file) }
        try await stage.work()
        #expect(stage.transport.deadLetters().count == 1)
    }

    @Test func callbacksOfARunUnderWayThatAreMissingAreStillAnError() async throws {
        let stage = try await Stage(storage: storage(.file))
        let runs = try await StoredRuns(stage.broker, FileWorkflowStore(directory))
        let run = try await deep(runs, "x").run()
        cache.removeAll()
        for file in scratch.contents { try FileManager.default.removeItem(atPath: file) }
        try await stage.work()
        #expect(stage.transport.deadLetters().count == 1)
        #expect(try await run.status().run.state == .running)
    }
}
