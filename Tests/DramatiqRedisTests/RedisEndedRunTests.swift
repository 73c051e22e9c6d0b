import Dramatiq
import DramatiqDedupStorage
import DramatiqRedis
import DramatiqTestKit
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// What runs have stored in Redis goes when they have ended: in the commit that ends them, if that is the same Redis.
@Suite(.timeLimit(.minutes(10))) struct RedisEndedRunTests {
    private let cache = WorkflowCache()
    private let tap = SentMessages()

    private func withRuns(
        transport namespace: String = "dramatiq",
        store storeNamespace: String = "dramatiq",
        hasOwnClient: Bool = false,
        tracking: RunTracking = .enabled,
        _ body: @escaping @Sendable (RedisStage, StoredRuns) async throws -> Void
    ) async throws {
        try await withRedisServer { [cache, tap] server in
            let other = try RedisClient(url: server.url)
            let stage = try await RedisStage(
                server, namespace: namespace, tracking: tracking, middleware: [tap],
                storing: { executor in
                    DedupCallbackStorage(
                        RedisWorkflowStore(hasOwnClient ? other : executor, namespace: storeNamespace), inlineLimit: 0,
                        cache: cache)
                })
            let store = RedisWorkflowStore(other, namespace: storeNamespace)
            try await body(stage, try await StoredRuns(stage.broker, store))
        }
    }

    /// What is noted of what runs have stored.
    private static func notes(_ stage: RedisStage) async throws -> [String] {
        try await stage.keys().filter { $0.hasSuffix("_stored") }
    }

    @Test(arguments: [false, true]) func aThousandEndedRunsLeaveNothing(isSame: Bool) async throws {
        try await withRuns(hasOwnClient: !isSame) { stage, runs in
            let shared = runs.workflow("shared")
            for number in 0..<1000 {
                let workflow = number.isMultiple(of: 10) ? shared : runs.workflow("\(number)")
                try await workflow.run()
            }
            #expect(try await runs.names().count == 1000)
            #expect(try await Self.notes(stage).count == 1000)
            try await stage.work()
            if !isSame { try await runs.expectNothing() }
            #expect(try await runs.names().isEmpty)
            #expect(try await Self.notes(stage).isEmpty)
            #expect(runs.counts.values.reduce(0, +) == 1000 * StoredRuns.taskCount)
            #expect(try await stage.transport.deadLetters(queue: "default").isEmpty)
        }
    }

    /// Where the store's keys lie apart from the run's on a cluster, they go after the commit.
    @Test(arguments: [("{app}", "{app}"), ("{app}", "dramatiq"), ("dramatiq", "{app}"), ("{app}", "{other}")])
    func tagsDecideWhetherItGoesInTheCommit(namespaces: (transport: String, store: String)) async throws {
        try await withRuns(transport: namespaces.transport, store: namespaces.store) { stage, runs in
            try await runs.workflow("x").run()
            let key = try #require(try await Self.notes(stage).first)
            let note = try await stage.redis.execute(RedisCommand("SRANDMEMBER", key)).string()
            let isKey = namespaces.transport == namespaces.store || namespaces.transport == "dramatiq"
            #expect(note.first == (isKey ? "k" : "n"))
            #expect(try await stage.redis.execute(RedisCommand("PTTL", key)).integer() > 0)
            try await stage.work()
            try await runs.expectNothing()
            #expect(try await Self.notes(stage).isEmpty)
        }
    }

    @Test(arguments: [false, true]) func aRunThatHasFailedKeepsWhatItsRetryNeeds(isSame: Bool) async throws {
        try await withRuns(hasOwnClient: !isSame) { [cache] stage, runs in
            let workflow = runs.workflow("x", fails: true)
            let first = try await workflow.run()
            try await stage.work()
            #expect(try await first.status().run.state == .failed)
            let own = try await runs.names()
            #expect(own.count == 1)
            runs.mend()
            let second = try await workflow.run()
            try await stage.work()
            #expect(try await second.status().run.state == .succeeded)
            try await eventually { try await runs.names() == own }
            cache.removeAll()
            try await first.retryFailed()
            try await stage.work()
            #expect(try await first.status().run.state == .succeeded)
            try await runs.expectNothing()
            #expect(try await Self.notes(stage).isEmpty)
            #expect(try await stage.transport.deadLetters(queue: "default").isEmpty)
        }
    }

    @Test(arguments: [false, true]) func aCancelledRunKeepsItsOwnUntilItsMessagesAreGone(isSame: Bool) async throws {
        try await withRuns(hasOwnClient: !isSame) { stage, runs in
            let run = try await runs.workflow("x").run()
            try await run.cancel()
            try await giveItAChance()
            #expect(try await runs.names().count == 1)
            try await stage.work()
            try await runs.expectNothing()
            #expect(try await Self.notes(stage).isEmpty)
            let other = try await runs.workflow("y", fails: true).run()
            try await stage.work()
            try await other.cancel()
            try await stage.work()
            try await giveItAChance()
            #expect(try await runs.names().count == 1, "its dead letter is left")
        }
    }

    /// What is left for a message that is delivered once more after all is over.
    enum Memory: CaseIterable {
        /// The run and its barrier.
        case all
        /// The barriers, since there are many other runs.
        case barriers
        /// The run, since it was long ago.
        case run
    }

    @Test(arguments: Memory.allCases, [false, true])
    func aMessageThatComesOnceMoreIsDone(memory: Memory, isSame: Bool) async throws {
        let tracking = RunTracking.enabled(maxEnded: memory == .barriers ? 0 : 10)
        try await withRuns(hasOwnClient: !isSame, tracking: tracking) { [cache, tap] stage, runs in
            try await runs.workflow("x").run()
            try await stage.work()
            try await runs.expectNothing()
            let sent = tap.sent.values
            #expect(sent.count == StoredRuns.taskCount)
            cache.removeAll()
            // Of groups' messages only the barriers know that they have come.
            let again = memory == .run ? [sent[0]] : sent
            if memory == .run {
                for key in try await stage.keys() where key.hasSuffix("_ran") || key.hasSuffix(":run") {
                    _ = try await stage.redis.execute(RedisCommand("DEL", key))
                }
            }
            try await stage.broker.commit(Commit(sends: Envelopes(again)))
            try await stage.work()
            #expect(try await stage.transport.deadLetters(queue: "default").isEmpty)
            #expect(runs.counts.values.reduce(0, +) == StoredRuns.taskCount + again.count)
            #expect(tap.sent.count == sent.count + again.count, "nothing followed")
            #expect(try await runs.names().isEmpty)
        }
    }

    @Test func aRunThatStoresNothingHasNoNoteOfIt() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let m = stage.task.message
            try await Workflow(Chain(m("a"), Group(m("b"), m("c")), m("d")), broker: stage.broker).run()
            let state = try #require(try await stage.keys().first { $0.hasSuffix("_state") })
            #expect(try await Self.notes(stage).isEmpty)
            #expect(try await stage.redis.execute(RedisCommand("HEXISTS", state, "stored")).integer() == 0)
        }
    }
}
