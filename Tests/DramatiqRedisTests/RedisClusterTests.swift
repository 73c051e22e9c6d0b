import Dramatiq
import DramatiqDedupStorage
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// One slot of a Redis Cluster, reached by any of its nodes.
@Suite(.timeLimit(.minutes(10))) struct RedisClusterTests {
    private func workflow(_ task: TaskActor<String, Void>) -> Chain {
        Chain(
            task.message("1"),
            Group(
                Chain(task.message("2"), Group(task.message("3"), task.message("4")), task.message("5")),
                WithDelay(.milliseconds(10)) { task.message("6") },
                Chain(task.message("7"), task.message("8"))),
            task.message("9"))
    }

    @Test(arguments: [1, 3], ["{dramatiq}", "app:{jobs}:x"])
    func workflowsRunToTheirEnd(nodes: Int, namespace: String) async throws {
        try await withRedisCluster(nodes: nodes) { cluster in
            for node in cluster.nodes {
                let stage = try await RedisStage(node, namespace: namespace)
                let stored = try await RedisStage(
                    node, namespace: namespace,
                    storage: DedupCallbackStorage(RedisWorkflowStore(stage.redis, namespace: namespace), inlineLimit: 0)
                )
                for stage in [stage, stored] {
                    try await stage.run(workflow(stage.task))
                    #expect(stage.ran.values.sorted() == (1...9).map { "\($0)" })
                    #expect((stage.ran.values.first, stage.ran.values.last) == ("1", "9"))
                    #expect(stage.log.complaints.map(\.message) == [])
                    #expect(try await stage.transport.deadLetterCount() == 0)
                }
                for stage in [stage, stored] { await stage.redis.shutDown() }
            }
        }
    }

    @Test(arguments: [1, 3]) func runsAreFoundFromEveryNode(nodes: Int) async throws {
        try await withRedisCluster(nodes: nodes) { cluster in
            var ids: Set<String> = []
            for (number, node) in cluster.nodes.enumerated() {
                let stage = try await RedisStage(node, namespace: "app:{jobs}:x")
                let run = try await Workflow(
                    workflow(stage.task), name: "na{m}e", labels: ["{node}": "\(number)", "all": ""],
                    broker: stage.broker
                ).run()
                try await withWorker(stage.worker) { _ = try await run.wait(timeout: .patience) }
                ids.insert(run.id)
                for (name, labels) in [(nil, [:]), ("na{m}e", [:]), (nil, ["all": ""])] as [(String?, [String: String])]
                {
                    var found: Set<String> = []
                    for try await run in stage.broker.workflowRuns(name: name, labels: labels) { found.insert(run.id) }
                    #expect(found == ids)
                }
                for try await found in stage.broker.workflowRuns(labels: ["{node}": "\(number)"]) {
                    #expect(found.id == run.id && found.state == .succeeded)
                }
                await stage.redis.shutDown()
            }
        }
    }

    @Test func everyKeyLiesInTheSlot() async throws {
        try await withRedisCluster(nodes: 1) { cluster in
            let stage = try await RedisStage(cluster.nodes[0], namespace: "{dramatiq}")
            try await stage.run(workflow(stage.task))
            let keys = try await stage.keys()
            #expect(keys.contains { $0.hasSuffix("_ran") })
            #expect(keys.contains { $0.hasSuffix("_state") } && keys.contains { $0.contains("__runs__") })
            #expect(keys.filter { !$0.contains("{dramatiq}") } == [])
        }
    }

    @Test(arguments: [1, 3])
    func aNamespaceWithoutATagIsRefusedWithAHint(nodes: Int) async throws {
        try await withRedisCluster(nodes: nodes) { cluster in
            let stage = try await RedisStage(cluster.nodes[0])
            let sending = await redisError { try await stage.task.send("a", to: stage.broker) }
            let running = await redisError { try await stage.worker.run() }
            #expect(running?.code == .invalidConfiguration)
            // A node that has all slots can count what lies anywhere.
            let counting = await redisError { try await stage.transport.unfinishedCount() }
            for error in [sending, running] + (nodes > 1 ? [counting] : []) {
                #expect(error?.isTransient == false)
                #expect(error?.description.contains("\"{dramatiq}\"") == true, "\(String(describing: error))")
            }
            #expect(
                try await stage.redis.execute(RedisCommand("HLEN", "dramatiq:default.msgs")).integer() == 0)
        }
    }

    @Test func rateLimitsMayLieAnywhere() async throws {
        try await withRedisCluster(nodes: 3) { cluster in
            let stage = try await RedisStage(cluster.nodes[0], namespace: "{dramatiq}")
            for key in ["a", "b", "c", "d", "e", "{billing}"] {
                let limiter = try ConcurrentRateLimiter(backend: stage.backend, key: key)
                let isFirst = try await limiter.tryAcquire()
                let isSecond = try await limiter.tryAcquire()
                #expect((isFirst, isSecond) == (true, false))
            }
            let barrier = Barrier(backend: stage.backend, key: "elsewhere", ttl: .seconds(1000))
            try await barrier.create(parties: 1)
            #expect(try await barrier.wait(block: true, timeout: .seconds(100)))
            let window = try WindowRateLimiter(backend: stage.backend, key: "{w}", limit: 2, window: .seconds(5))
            #expect(try await window.tryAcquire())
            let bare = try WindowRateLimiter(backend: stage.backend, key: "w", limit: 2, window: .seconds(5))
            let error = await redisError { try await bare.tryAcquire() }
            #expect(error?.description.contains("WindowRateLimiter") == true && error?.isTransient == false)
        }
    }

    @Test func aBackendApartKeepsItsBarriersInItsNamespacesSlot() async throws {
        try await withRedisCluster(nodes: 3) { cluster in
            try await withRedisServer { server in
                let barriers = try RedisClient(url: cluster.nodes[1].url)
                let stage = try await RedisStage(
                    server, store: RedisRateLimiterBackend(barriers, namespace: "{barriers}"))
                try await stage.run(workflow(stage.task))
                #expect(stage.ran.values.sorted() == (1...9).map { "\($0)" })
                #expect(stage.log.complaints.map(\.message) == [])
                await barriers.shutDown()
            }
        }
    }

    /// What is stored needs no slot of its own: it is spread, and looked after wherever it lies.
    @Test(arguments: [1, 3])
    func contentsMayLieAnywhere(nodes: Int) async throws {
        try await withRedisCluster(nodes: nodes) { cluster in
            let clients = try cluster.nodes.map { try RedisClient(url: $0.url) }
            let names = Set((0..<2500).map { "content-\($0)" })
            let store = RedisWorkflowStore(clients[0], ttl: .seconds(1000))
            for name in names { _ = try await store.store(Array(name.utf8), completionID: name) }
            for client in clients {
                #expect(try await client.execute(RedisCommand("DBSIZE")).integer() > 2500 / nodes / 2)
            }
            // Another program's, and another namespace's.
            _ = try await clients[0].execute(RedisCommand("RPUSH", "dramatiq:__workflows__.list", "a"))
            _ = try await RedisWorkflowStore(clients[0], namespace: "other").store([1], completionID: "a")
            let old = names.filter { $0.hasSuffix("7") }
            for name in old {
                let key = "dramatiq:__workflows__.\(name)"
                _ = try await clients[0].execute(RedisCommand("PEXPIRE", key, 400_000))
            }
            for client in clients {
                let store = RedisWorkflowStore(client, ttl: .seconds(1000))
                var (found, foreign): ([String], Int) = ([], 0)
                var position: String?
                repeat {
                    let page = try await store.contents(after: position)
                    found += page.contents.map(\.name)
                    foreign += page.foreignCount
                    position = page.next
                } while position != nil
                #expect(Set(found) == names && foreign == 1)
                for name in names.subtracting(old).prefix(20) {
                    #expect(try await store.load(.string(name), completionID: name) == Array(name.utf8))
                }
            }
            let swept = try await RedisWorkflowStore(clients[nodes - 1], ttl: .seconds(1000))
                .sweep(olderThan: .seconds(500))
            #expect(swept.removed == old.count && swept.kept == names.count - old.count && swept.failureCount == 0)
            #expect(try await store.statistics().count == names.count - old.count)
            for client in clients { await client.shutDown() }
        }
    }

    /// Workflows run whose rest lies in other slots than they, and goes once they have ended.
    @Test func workflowsRunWhoseRestLiesElsewhere() async throws {
        try await withRedisCluster(nodes: 3) { cluster in
            let redis = try RedisClient(url: cluster.nodes[0].url)
            let store = RedisWorkflowStore(redis)
            let stage = try await RedisStage(
                cluster.nodes[1], namespace: "{dramatiq}", storage: DedupCallbackStorage(store, inlineLimit: 0))
            try await Workflow(workflow(stage.task), broker: stage.broker).run()
            #expect(try await store.statistics().count == 1)
            try await stage.work()
            #expect(stage.ran.values.sorted() == (1...9).map { "\($0)" })
            #expect(stage.log.complaints.map(\.message) == [])
            try await eventually { try await store.statistics().count == 0 }
            await stage.redis.shutDown()
            await redis.shutDown()
        }
    }

    @Test func queuesAndDeadLettersAreFoundFromEveryNode() async throws {
        struct Failure: Error {}
        try await withRedisCluster(nodes: 3) { cluster in
            let stage = try await RedisStage(cluster.nodes[0], namespace: "{dramatiq}")
            let fails = TaskActor("fails", queue: "jobs", options: [.maxRetries(0)]) { throw Failure() }
            try await stage.broker.declare(fails)
            try await fails.send(to: stage.broker)
            try await stage.work(queue: "jobs")
            for node in cluster.nodes {
                let redis = try RedisClient(url: node.url)
                let transport = RedisTransport(redis, configuration: .init(namespace: "{dramatiq}"))
                #expect(try await transport.queueNames() == ["jobs"])
                #expect(try await transport.status(queue: "jobs").deadLetters == 1)
                #expect(try await transport.deadLetters(queue: "jobs").count == 1)
                await redis.shutDown()
            }
        }
    }

    @Test func slotsMayMove() async throws {
        try await withRedisCluster(nodes: 3) { cluster in
            try await withRedis(cluster.nodes[0].url) { redis in
                let keys = (0..<30).map { "key\($0)" }
                for key in keys { _ = try await redis.execute(RedisCommand("SET", key, key)) }
                let moving = "{moving}"
                let slot = try await cluster.slot(of: moving)
                let from = try await cluster.owner(of: moving)
                let to = (from + 1) % 3
                let script = RedisScript("return redis.call('INCR', KEYS[1])")
                try await cluster.setSlot(slot, on: to, "IMPORTING", from)
                try await cluster.setSlot(slot, on: from, "MIGRATING", to)
                // The key is at neither place, so it is asked for at the new one.
                for number in 1...3 {
                    #expect(try await redis.execute(RedisCommand("INCR", moving)).integer() == number)
                }
                for node in [to, from] { try await cluster.setSlot(slot, on: node, "NODE", to) }
                for number in 4...6 {
                    #expect(try await redis.evaluate(script, keys: [moving]).integer() == number)
                }
                let values = try await redis.pipeline(keys.map { RedisCommand("GET", $0) })
                #expect(try values.map { try $0.get().string() } == keys)
                #expect(try await redis.block(RedisCommand("GET", moving), timeout: nil).string() == "6")
            }
        }
    }

    /// A cluster of which nobody knows who has what is an outage.
    @Test func serversThatPointToEachOtherEndInAnError() async throws {
        try await withScriptedServer { _, _ in
            .bytes("-MOVED 1 :1\r\n")
        } _: { server in
            let port = server.url.split(separator: ":").last ?? ""
            try await withScriptedServer { _, _ in
                .bytes("-MOVED 1 127.0.0.1:\(port)\r\n")
            } _: { other in
                try await withRedis(other.url) { redis in
                    let error = await redisError { try await redis.execute(RedisCommand("GET", "a")) }
                    #expect(error?.isTransient == true)
                }
            }
        }
        for reply in ["MOVED", "MOVED x 127.0.0.1:1", "MOVED 1 127.0.0.1", "MOVED 1 127.0.0.1:0", "ASK 99999 a:1"] {
            try await withScriptedServer { _, _ in
                .bytes("-\(reply)\r\n")
            } _: { server in
                try await withRedis(server.url) { redis in
                    let error = await redisError { try await redis.execute(RedisCommand("GET", "a")) }
                    #expect(error?.code == .server, "\(reply)")
                }
            }
        }
    }
}
