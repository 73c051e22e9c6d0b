import Dramatiq
import DramatiqDedupStorage
import DramatiqTestKit
import DramatiqWorkflow
import TestSupport
import Testing

/// What runs have stored goes when they have ended, and no earlier.
@Suite(.timeLimit(.minutes(10))) struct EndedRunTests {
    private let memory = InMemoryWorkflowStore()
    private let cache = WorkflowCache()
    private let tap = SentMessages()

    private func makeRuns(
        tracking: RunTracking = .enabled,
        storage: (any CallbackStorage)? = nil
    ) async throws -> (Stage, StoredRuns) {
        let storage = storage ?? DedupCallbackStorage(memory, inlineLimit: 0, cache: cache)
        let stage = try await Stage(
            fidelity: .values, storage: storage, tracking: tracking, middleware: Broker.defaultMiddleware + [tap])
        return (stage, try await StoredRuns(stage.broker, memory))
    }

    @Test func aThousandEndedRunsLeaveNothing() async throws {
        let (stage, runs) = try await makeRuns()
        let shared = runs.workflow("shared")
        for number in 0..<1000 {
            let workflow = number.isMultiple(of: 10) ? shared : runs.workflow("\(number)")
            try await workflow.run()
        }
        #expect(try await runs.names().count == 1000, "each has its own")
        try await stage.work()
        try await runs.expectNothing()
        #expect(runs.counts.values.reduce(0, +) == 1000 * StoredRuns.taskCount)
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(memory.counts.stores == 1000 && memory.counts.removals == 1000)
        #expect(cache.count == 0 && cache.size == 0)
    }

    @Test func whatIsNotTrackedStays() async throws {
        let (stage, runs) = try await makeRuns(tracking: .disabled)
        for _ in 1...2 { try await runs.workflow("a").run() }
        try await stage.work()
        try await giveItAChance()
        #expect(try await runs.names().count == 2)
        #expect(memory.counts.removals == 0)
    }

    @Test func aRunThatHasFailedKeepsWhatItsRetryNeeds() async throws {
        let (stage, runs) = try await makeRuns()
        let handles = try await started(3, runs.workflow("x", fails: true))
        try await stage.work()
        for run in handles { #expect(try await run.status().run.state == .failed) }
        try await giveItAChance()
        #expect(try await runs.names().count == 3)
        cache.removeAll()
        runs.mend()
        for run in handles {
            try await run.retryFailed()
            try await stage.work()
            #expect(try await run.status().run.state == .succeeded)
        }
        try await runs.expectNothing()
        #expect(stage.transport.deadLetters().isEmpty)
    }

    private func started(_ count: Int, _ workflow: Workflow) async throws -> [WorkflowRun] {
        var runs: [WorkflowRun] = []
        for _ in 0..<count { runs.append(try await workflow.run()) }
        return runs
    }

    @Test func theSameWorkflowThatIsStillUnderWayKeepsItsOwn() async throws {
        let (stage, runs) = try await makeRuns()
        let workflow = runs.workflow("x", fails: true)
        let first = try await workflow.run()
        try await stage.work()
        #expect(try await first.status().run.state == .failed)
        let own = try await runs.names()
        runs.mend()
        let second = try await workflow.run()
        try await stage.work()
        #expect(try await second.status().run.state == .succeeded)
        try await eventually { try await runs.names() == own }
        // Another one begins right after.
        let third = try await workflow.run()
        cache.removeAll()
        try await stage.work()
        #expect(try await third.status().run.state == .succeeded)
        try await first.retryFailed()
        try await stage.work()
        #expect(try await first.status().run.state == .succeeded)
        try await runs.expectNothing()
    }

    @Test func aFailedTaskThatIsPassedOverKeepsNothing() async throws {
        let (stage, runs) = try await makeRuns()
        var workflow = runs.workflow("x", fails: true)
        workflow.failurePolicy = .proceed
        let run = try await workflow.run()
        try await stage.work()
        #expect(try await run.status().run.state == .succeeded)
        try await runs.expectNothing()
        // Its dead letter does no harm.
        runs.mend()
        cache.removeAll()
        let letters = stage.transport.deadLetters()
        #expect(letters.count == 1)
        try await stage.transport.requeueDeadLetters()
        try await stage.work()
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(runs.counts.count == StoredRuns.taskCount && runs.counts.values.allSatisfy { $0 == 1 })
    }

    @Test func aCancelledRunKeepsItsOwnUntilItsMessagesAreGone() async throws {
        let (stage, runs) = try await makeRuns()
        let run = try await runs.workflow("x").run()
        try await run.cancel()
        try await giveItAChance()
        #expect(try await runs.names().count == 1)
        try await stage.work()
        #expect(runs.counts.isEmpty)
        try await runs.expectNothing()
        let other = try await runs.workflow("y", fails: true).run()
        try await stage.work()
        #expect(try await other.status().run.state == .failed)
        try await other.cancel()
        try await stage.work()
        try await giveItAChance()
        #expect(try await runs.names().count == 1, "its dead letter is left")
    }

    /// A message that is delivered once more after all is over is done, whatever is gone meanwhile.
    @Test(arguments: [RunTracking.defaultMaxEnded, 0]) func aMessageThatComesOnceMoreIsDone(kept: Int) async throws {
        let (stage, runs) = try await makeRuns(tracking: .enabled(maxEnded: kept))
        try await runs.workflow("x").run()
        try await stage.work()
        try await runs.expectNothing()
        let sent = tap.sent.values
        #expect(sent.count == StoredRuns.taskCount)
        cache.removeAll()
        for _ in 1...2 {
            try await stage.broker.commit(Commit(sends: Envelopes(sent)))
            try await stage.work()
        }
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(runs.counts.count == StoredRuns.taskCount && runs.counts.values.allSatisfy { $0 == 3 })
        #expect(tap.sent.count == 3 * StoredRuns.taskCount, "nothing followed")
        #expect(try await runs.names().isEmpty)
    }

    @Test func whatAnOlderStorageHasGoesAsWell() async throws {
        let older = InMemoryWorkflowStore()
        let (stage, made) = try await makeRuns(
            storage: DedupCallbackStorage(older, inlineLimit: 0, cache: cache))
        var runs = made
        runs.store = older
        try await runs.workflow("x").run()
        let newer = try await stage.swapping(
            to: DedupCallbackStorage(memory.tiered(above: 0, to: memory), inlineLimit: 0, cache: WorkflowCache())
                .reading(DedupCallbackStorage(older, inlineLimit: 0, cache: cache)))
        let others = try await StoredRuns(newer.broker, memory)
        try await newer.work()
        #expect(others.counts.count == StoredRuns.taskCount)
        try await runs.expectNothing()
        try await others.expectNothing()
    }

    /// A store that removes nothing, or can't.
    private struct Stubborn: WorkflowStore {
        struct Locked: Error {}
        let base: InMemoryWorkflowStore
        let removals: Recorder<String>

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            try await base.store(workflow, completionID: completionID)
        }
        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            try await base.load(reference, completionID: completionID)
        }
        func remove(_ reference: JSONValue, completionID: String) async throws {
            removals.add(completionID)
            throw Locked()
        }
    }

    @Test func aStoreThatCannotRemoveFailsNoMessage() async throws {
        let store = Stubborn(base: memory, removals: Recorder())
        let (stage, runs) = try await makeRuns(storage: DedupCallbackStorage(store, inlineLimit: 0, cache: cache))
        let handles = try await started(3, runs.workflow("x"))
        try await stage.work()
        for run in handles { #expect(try await run.status().run.state == .succeeded) }
        try await eventually { store.removals.count == 3 }
        #expect(try await runs.names().count == 3, "they are left to who sweeps")
        #expect(stage.transport.deadLetters().isEmpty)
        try await eventually { stage.log.entries.contains { $0.message.contains("stays until it is swept") } }
    }
}
