import Dramatiq
import DramatiqDedupStorage
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RedisWorkflowStoreTests {
    @Test func whatIsStoredIsLoaded() async throws {
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            let store = RedisWorkflowStore(redis, ttl: .seconds(1000))
            let workflow = Array(#"{"__type__":"chain","children":[]}"#.utf8)
            let reference = try await store.store(workflow, completionID: "id")
            #expect(try await store.load(reference, completionID: "id") == workflow)
            _ = try await redis.execute(RedisCommand("PEXPIRE", "dramatiq:__workflows__.id", 500_000))
            try await store.refresh(reference, completionID: "id")
            #expect(try await redis.execute(RedisCommand("TTL", "dramatiq:__workflows__.id")).integer() > 900)
            // What has to be kept for longer is, whoever comes by meanwhile.
            try await store.refresh(reference, completionID: "id", for: .seconds(5000))
            try await store.refresh(reference, completionID: "id", for: .seconds(10))
            try await store.refresh(reference, completionID: "id")
            _ = try await store.load(reference, completionID: "id")
            _ = try await store.store(workflow, completionID: "id")
            #expect(try await redis.execute(RedisCommand("TTL", "dramatiq:__workflows__.id")).integer() > 5900)
            try await store.refresh(reference, completionID: "id", for: .seconds(Int64.max))
            #expect(try await redis.execute(RedisCommand("TTL", "dramatiq:__workflows__.id")).integer() > 1 << 31)
        }
    }

    @Test(arguments: ["x", "", "../id", nil, 1, [:], ["id"], "other"] as [JSONValue])
    func otherReferencesAreNotFollowed(reference: JSONValue) async throws {
        try await withRedisServer { server in
            let store = RedisWorkflowStore(try RedisClient(url: server.url))
            _ = try await store.store([1], completionID: "id")
            _ = try await store.store([1], completionID: "other")
            await #expect(throws: RedisStoreError.invalidReference) {
                try await store.load(reference, completionID: "id")
            }
            await #expect(throws: RedisStoreError.invalidReference) {
                try await store.refresh(reference, completionID: "id")
            }
        }
    }

    @Test func whatIsGoneIsAnErrorAndTheMessageIsKept() async throws {
        try await withRedisServer { server in
            let store = RedisWorkflowStore(try RedisClient(url: server.url))
            await #expect(throws: RedisStoreError.notFound(completionID: "id")) {
                try await store.load("id", completionID: "id")
            }
            await #expect(throws: RedisStoreError.notFound(completionID: "id")) {
                try await store.refresh("id", completionID: "id")
            }
            await #expect(throws: RedisStoreError.invalidCompletionID) { try await store.store([], completionID: "") }
        }
    }

    @Test func workflowsRunWithIt() async throws {
        try await withRedisServer { server in
            let client = try RedisClient(url: server.url)
            let stage = try await RedisStage(
                server,
                storage: DedupCallbackStorage(
                    RedisWorkflowStore(client), inlineLimit: 0, cache: WorkflowCache(maxSize: 0)))
            let task = stage.task
            try await Workflow(
                Chain(
                    Group(children: (1...20).map { .message(task.message("\($0)")) }), task.message("then"),
                    task.message("last")),
                broker: stage.broker
            ).run()
            let stored = try await stage.keys().filter { $0.contains("__workflows__") }
            #expect(stored.count == 1, "once for all of the group")
            try await stage.work()
            #expect(stage.ran.count == 22)
            #expect(stage.ran.values.suffix(2) == ["then", "last"])
        }
    }

    /// What is left of a workflow is lost: the message whose release needs it is kept, with the reason.
    @Test func aWorkflowThatCanNotBeLoadedKeepsItsMessage() async throws {
        try await withRedisServer { server in
            let client = try RedisClient(url: server.url)
            let stage = try await RedisStage(
                server,
                storage: DedupCallbackStorage(
                    RedisWorkflowStore(client), inlineLimit: 0, cache: WorkflowCache(maxSize: 0)))
            try await Workflow(Chain(stage.task.message("1"), stage.task.message("2")), broker: stage.broker).run()
            let key = try #require(try await stage.keys().first { $0.contains("__workflows__") })
            let workflow = try await client.execute(RedisCommand("GET", key)).bytes()
            _ = try await client.execute(RedisCommand("DEL", key))
            try await stage.work()
            #expect(stage.ran.values == ["1"])
            let letter = try #require(try await stage.transport.deadLetters().first)
            #expect(letter.reason.contains("is not in Redis"))
            // Once the cause is gone the workflow goes on.
            _ = try await client.execute(RedisCommand("SET", key, workflow))
            try await stage.transport.requeueDeadLetter(letter.id)
            try await stage.work()
            #expect(stage.ran.values == ["1", "1", "2"])
        }
    }
}
