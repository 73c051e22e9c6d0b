import Dramatiq
import DramatiqDedupStorage
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import Logging
import RedisTestSupport
import TestSupport
import Testing

/// Workers whose server doesn't let them work, and those whose server lets them do no more than that.
@Suite(.timeLimit(.minutes(10))) struct RedisAccessTests {
    /// What a worker's run throws.
    private func refusal(_ worker: Worker) async -> RedisError? {
        await redisError { try await worker.run() }
    }

    @Test(arguments: [":wrong@", "", "worker:wrong@", "nobody:secret@"])
    func aWorkerWhosePasswordIsWrongDoesNotBegin(credentials: String) async throws {
        try await withRedisServer(.password) { server in
            let url = server.url.replacing(server.setup.credentials, with: credentials)
            let stage = try await RedisStage(server, url: url)
            let error = await refusal(stage.worker)
            #expect(error?.code == .authenticationFailed)
            #expect(error?.description.contains("wrong") == false)
        }
    }

    @Test func aWorkerWithoutItsDatabaseDoesNotBegin() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, url: server.url + "/99")
            let error = await refusal(stage.worker)
            #expect(error?.code == .authenticationFailed && error?.description.contains("database 99") == true)
        }
    }

    @Test func aWorkerWhoseEncryptionDoesNotFitDoesNotBegin() async throws {
        try await withRedisServer { server in
            let url = server.url.replacing("redis:", with: "rediss:") + "?socket_connect_timeout=0.3"
            let error = try await refusal(RedisStage(server, url: url).worker)
            #expect(error?.code == .encryptionFailed)
        }
        try await withRedisServer(.encrypted) { server in
            for url in [server.url, server.url.replacing("rediss:", with: "redis:")] {
                let error = try await refusal(RedisStage(server, url: url).worker)
                #expect(error?.code == .encryptionFailed)
            }
        }
    }

    @Test func aBackendApartIsLookedAtAsWell() async throws {
        try await withRedisServer { server in
            try await withRedisServer(.password) { other in
                let redis = try RedisClient(url: other.url.replacing(other.setup.credentials, with: ":wrong@"))
                let stage = try await RedisStage(server, store: RedisRateLimiterBackend(redis))
                #expect(await refusal(stage.worker)?.code == .authenticationFailed)
            }
        }
    }

    @Test func anOutageAtTheStartIsWaitedFor() async throws {
        let server = try await RedisServer(.appendOnly)
        let stage = try await RedisStage(server)
        try await stage.task.send("a", to: stage.broker)
        server.kill()
        try await withWorker(stage.worker) {
            try await eventually { stage.log.complaints.contains { $0.message.contains("begin") } }
            try await server.start()
            try await eventually { stage.ran.count == 1 }
        }
        #expect(stage.log.entries.filter { $0.level >= .error }.map(\.message) == [])
        server.kill()
        // Nor does waiting hold up a shutdown.
        try await withWorker(stage.worker) {}
    }

    // MARK: Rights

    /// The guide that has the rules for a worker's user.
    private static func guide() throws -> String {
        let path = "../../../Sources/DramatiqWorkflow/Documentation.docc/Guides/RunningOverRedis.md"
        return try String(contentsOf: URL(filePath: #filePath).appending(path: path).standardized, encoding: .utf8)
    }

    private static func rules() throws -> [String] {
        let text = try guide()
        let start = try #require(text.range(of: "user worker on >secret"))
        let end = try #require(text.range(of: "```", range: start.upperBound..<text.endIndex))
        return text[start.upperBound..<end.lowerBound].split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private func withRestrictedUser(
        _ rules: [String],
        _ body: (_ server: RedisServer, _ url: String, _ admin: RedisClient) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { admin in
                _ = try await admin.execute(
                    RedisCommand("ACL", "SETUSER", "worker", list: ["on", ">secret"] + rules))
                try await body(server, server.url.replacing("//", with: "//worker:secret@"), admin)
            }
        }
    }

    private struct Failure: Error {}

    /// Does everything that a worker, a producer and the command line tool do.
    private func useEverything(_ stage: RedisStage, _ prefix: String) async throws {
        let task = stage.task
        let fails = TaskActor("fails", options: [.maxRetries(1), .minBackoff(.milliseconds(1))]) { throw Failure() }
        try await stage.broker.declare(fails)
        for _ in 0..<4 { try await fails.send(to: stage.broker) }
        try await stage.task.send("delayed", to: stage.broker, delay: .milliseconds(30))
        try await stage.broker.enqueue((0..<50).map { task.message("\($0)") })
        let worker = stage.worker
        try await withWorker(worker) {
            for _ in 0..<3 {
                try await Workflow(
                    Chain(
                        task.message("1"),
                        Group(
                            Chain(task.message("2"), Group(task.message("3"), task.message("4"))),
                            WithDelay(.milliseconds(20)) { task.message("5") }),
                        task.message("last")),
                    broker: stage.broker
                ).run()
            }
            // What a dead worker left behind is looked for as well.
            try await eventually { stage.ran.values.count { $0 == "last" } == 3 }
            try await stage.transport.join()
            #expect(try await stage.transport.workers().count == 1)
            try await stage.broker.pause(queue: "default")
            try await task.send("waits", to: stage.broker)
            try await Task.sleep(for: .milliseconds(700))
            try await stage.broker.resume(queue: "default")
            try await stage.transport.join()
        }
        #expect(try await stage.transport.queueNames() == ["default"])
        #expect(try await stage.transport.status(queue: "default").deadLetters == 4)
        let letters = try await stage.transport.deadLetters()
        #expect(letters.count == 4)
        try await stage.transport.requeueDeadLetter(letters[0].id)
        try await stage.transport.removeDeadLetter(letters[1].id)
        _ = try await stage.transport.deadLetter(letters[2].id)
        #expect(try await stage.transport.sample(queue: "default", limit: 5).count == 1)
        #expect(try await stage.transport.requeueDeadLetters() == 2)
        #expect(try await stage.transport.removeDeadLetters() == 0)
        var runs = 0
        for try await run in stage.broker.workflowRuns() {
            #expect(try await WorkflowRun(id: run.id, broker: stage.broker).status().run.state == .succeeded)
            runs += 1
        }
        #expect(runs == 3)
        let limiter = try ConcurrentRateLimiter(backend: stage.backend, key: "\(prefix)limit")
        #expect(try await limiter.tryAcquire())
        try await limiter.release()
        let barrier = Barrier(backend: stage.backend, key: "\(prefix)barrier", ttl: .seconds(100))
        try await barrier.create(parties: 1)
        #expect(try await barrier.wait(block: true, timeout: .seconds(10)))
        #expect(stage.log.complaints.filter { "\($0)".contains("keeps the user") || "\($0)".contains("perm") }.isEmpty)
    }

    @Test(arguments: [RedisResultBackend.KeyStyle.hashed, .readable])
    func theRightsForResultsAreEnough(keys: RedisResultBackend.KeyStyle) async throws {
        let pattern = keys == .hashed ? "~" + String(repeating: "?", count: 32) : "~dramatiq-results:*"
        #expect(try Self.guide().contains("`\(pattern)`"))
        try await withRestrictedUser(try Self.rules() + [pattern]) { _, url, _ in
            try await withRedis(url) { redis in
                let backend = RedisResultBackend(redis, keys: keys)
                let key = ResultKey(queueName: "q", actorName: "a", messageID: "1")
                async let found = backend.result(for: key, timeout: .patience)
                try await backend.store([1], for: key, ttl: .seconds(100))
                #expect(try await found == [1])
                #expect(try await backend.results(for: [key], maxSize: 1) == [[1]])
            }
            // The same for a worker, whose commits keep them.
            let redis = try RedisClient(url: url)
            let broker = Broker(
                transport: RedisTransport(redis),
                middleware: Broker.defaultMiddleware + [
                    Results(backend: RedisResultBackend(redis, keys: keys), storesResults: true)
                ],
                logger: RecordingLog().logger)
            let one = TaskActor("one") { 1 }
            let fails = TaskActor("fails", options: [.maxRetries(0)]) { throw Failure() }
            try await broker.declare(one, fails)
            let (good, bad) = (try await one.send(to: broker), try await fails.send(to: broker))
            try await withWorker(Worker(broker)) {
                let found = try await good.result(Int.self, from: broker, timeout: .patience)
                #expect(found == 1)
                let error = await #expect(throws: ResultError.self) {
                    try await bad.result(Int.self, from: broker, timeout: .patience)
                }
                #expect(error?.errorType == "Failure")
            }
            await redis.shutDown()
        }
    }

    @Test(arguments: [true, false])
    func theRightsInTheGuideAreEnough(hasTag: Bool) async throws {
        var rules = try Self.rules()
        let namespace = hasTag ? "{dramatiq}" : "dramatiq"
        if hasTag { rules = rules.filter { !$0.hasPrefix("~") } + ["~{dramatiq}*"] }
        try await withRestrictedUser(rules) { server, url, _ in
            let redis = try RedisClient(url: url)
            let store = RedisWorkflowStore(redis, namespace: namespace)
            for storage in [
                InlineCallbackStorage(), DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache(maxSize: 0)),
            ] as [any CallbackStorage] {
                let stage = try await RedisStage(
                    server, namespace: namespace, url: url, heartbeatTimeout: .milliseconds(200), storage: storage)
                try await useEverything(stage, "\(namespace):")
                await stage.redis.shutDown()
                try await withRedis(server.url) { _ = try await $0.execute(RedisCommand("FLUSHALL")) }
            }
            await redis.shutDown()
        }
    }

    /// Whatever command is missing, the worker says so before it takes anything.
    @Test func aCommandThatIsMissingIsNamed() async throws {
        // These have something that takes their place, or only the tool needs them.
        let others: Set = [
            "+hello", "+client|setname", "+select", "+brpoplpush", "+smismember", "+hscan", "+lindex", "+zrange",
            "+zrevrange", "+type", "+strlen",
        ]
        let rules = try Self.rules()
        let needed = rules.filter { $0.hasPrefix("+") && !others.contains($0) }
        #expect(needed.count > 20)
        try await withRestrictedUser(rules) { server, url, admin in
            for rule in needed {
                let name = String(rule.dropFirst())
                _ = try await admin.execute(RedisCommand("ACL", "SETUSER", "worker", "-\(name)"))
                let stage = try await RedisStage(server, url: url)
                let error = await redisError {
                    try await stage.transport.verifyAccess(to: ["default"])
                    try await stage.backend.verifyAccess(barrierKeyPrefix: "")
                }
                #expect(error?.code == .permissionDenied, "\(name)")
                #expect(error?.description.lowercased().contains(name) == true, "\(String(describing: error))")
                await stage.redis.shutDown()
                _ = try await admin.execute(RedisCommand("ACL", "SETUSER", "worker", rule))
            }
            // What could not be removed expires.
            try await eventually { try await admin.execute(RedisCommand("KEYS", "*")).array().isEmpty }
        }
    }

    @Test(arguments: [
        (["~dramatiq:*"], "dramatiq"), (["~dramatiq", "~dramatiq:*"], "permission"),
        (["~dramatiq", "~dramatiq:__*", "~dramatiq:other*"], "dramatiq:default"),
        (["~dramatiq", "~dramatiq:default*", "~dramatiq:__c*", "~dramatiq:__h*"], "__acks__"),
    ])
    func aKeyThatIsMissingIsNamed(patterns: [String], name: String) async throws {
        let rules = try Self.rules().filter { !$0.hasPrefix("~") } + patterns
        try await withRestrictedUser(rules) { server, url, _ in
            let error = try await refusal(RedisStage(server, url: url).worker)
            #expect(error?.code == .permissionDenied)
            #expect(error?.description.contains(name) == true, "\(String(describing: error))")
        }
    }

    @Test func aKeyOfAnotherTypeIsNamed() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            _ = try await stage.redis.execute(RedisCommand("SET", "dramatiq:default.msgs", "other"))
            let error = await refusal(stage.worker)
            #expect(error?.description.contains("dramatiq:default.msgs") == true)
        }
    }

    @Test func aFullServerKeepsNoWorkerFromBeginning() async throws {
        try await withRedisServer(.small) { server in
            let stage = try await RedisStage(server)
            try await stage.task.send("a", to: stage.broker)
            let value = [UInt8](repeating: 1, count: 100_000)
            for number in 0..<50 { _ = try? await stage.redis.execute(RedisCommand("SET", "key\(number)", value)) }
            try await withWorker(stage.worker) { try await eventually { stage.ran.count == 1 } }
        }
    }

    // MARK: While it works

    /// What is taken away from a worker is named in its log, loudly, and once it is given back the work goes on.
    @Test func rightsThatAreTakenAwayAreNamed() async throws {
        let rules = try Self.rules()
        try await withRestrictedUser(rules) { server, url, admin in
            let stage = try await RedisStage(server, url: url)
            let producer = try await RedisStage(server)
            let errors = { @Sendable in stage.log.entries.filter { $0.level == .error } }
            try await withWorker(stage.worker) {
                try await producer.task.send("1", to: producer.broker)
                try await eventually { stage.ran.count == 1 }
                _ = try await admin.execute(RedisCommand("ACL", "SETUSER", "worker", "-eval", "-evalsha"))
                try await producer.task.send("2", to: producer.broker)
                try await eventually {
                    errors().contains {
                        $0.message.contains("mended") && $0.metadata["error"]?.contains("NOPERM") == true
                    }
                }
                _ = try await admin.execute(RedisCommand("ACL", "SETUSER", "worker", "+eval", "+evalsha"))
                try await eventually { stage.ran.count == 2 }

                _ = try await admin.execute(RedisCommand("ACL", "SETUSER", "worker", "resetpass", ">changed"))
                _ = try await admin.execute(RedisCommand("CLIENT", "KILL", "USER", "worker"))
                try await producer.task.send("3", to: producer.broker)
                try await eventually { errors().contains { $0.metadata["error"]?.contains("WRONGPASS") == true } }
                _ = try await admin.execute(RedisCommand("ACL", "SETUSER", "worker", ">secret"))
                try await eventually { stage.ran.count == 3 }
            }
        }
    }
}
