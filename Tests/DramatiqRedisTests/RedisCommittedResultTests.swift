import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

/// Results that are kept by the script that ends their messages, and those that can't be.
@Suite(.timeLimit(.minutes(10))) struct RedisCommittedResultTests {
    private struct Failure: Error {}

    /// Counts the scripts that keep a result and nothing else.
    private final class CountingExecutor: RedisExecutor {
        private let base: any RedisExecutor
        private let count = Mutex(0)
        var keptApart: Int { count.withLock(\.self) }

        init(_ base: any RedisExecutor) {
            self.base = base
        }

        func execute(_ command: RedisCommand) async throws -> RESPValue {
            if command.script?.source.contains("'LPUSH', KEYS[1]") ?? false { count.withLock { $0 += 1 } }
            return try await base.execute(command)
        }

        func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
            try await base.pipeline(commands)
        }

        func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
            try await base.block(command, timeout: timeout)
        }
    }

    /// A broker whose tasks have results, and a client for the test's own questions.
    private struct ResultStage {
        let redis: RedisClient
        let executor: CountingExecutor
        let transport: RedisTransport
        let broker: Broker
        let log = RecordingLog()
        let number = TaskActor("number", options: [.maxRetries(0)]) { (number: Int) in
            if number < 0 { throw Failure() }
            return number
        }

        /// - Parameters:
        ///   - results: makes the backend on the transport's client. Defaults to one with readable keys.
        ///   - url: the transport's own.
        init(
            _ server: RedisServer,
            namespace: String = "dramatiq",
            url: String? = nil,
            results: (any RedisExecutor) -> RedisResultBackend = { RedisResultBackend($0, keys: .readable) }
        ) async throws {
            redis = try RedisClient(url: server.url, logger: log.logger)
            executor = CountingExecutor(
                url == nil ? redis : try RedisClient(url: url ?? server.url, logger: log.logger))
            transport = RedisTransport(
                executor, configuration: RedisTransport.Configuration(namespace: namespace), logger: log.logger)
            broker = Broker(
                transport: transport,
                middleware: Broker.defaultMiddleware + [
                    Results(backend: results(executor), storesResults: true, ttl: .seconds(1000)),
                    WorkflowMiddleware(backend: RedisRateLimiterBackend(executor)),
                ],
                logger: log.logger)
            try await broker.declare(number)
        }

        func work() async throws {
            let worker = Worker(
                broker, concurrency: 4,
                transitionRetries: TransitionRetryPolicy(
                    attempts: 3, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(2)))
            try await withWorker(worker) { try await transport.join(timeout: .patience) }
        }

        func run(_ base: Int) async throws {
            let n = number.message
            try await Workflow(
                Chain(n(base), Group(n(base + 1), Chain(n(base + 2), n(base + 3)), n(base + 4)), n(base + 5)),
                broker: broker
            ).run()
        }

        func key(_ message: Message) -> String {
            "dramatiq-results:\(message.queueName):\(message.actorName):\(message.messageID)"
        }

        func keys(_ pattern: String = "dramatiq-results:*") async throws -> [String] {
            try await redis.execute(RedisCommand("KEYS", pattern)).array().map { try $0.string() }
        }

        /// How often the server has run a command.
        func calls(_ command: String) async throws -> Int {
            let text = try await redis.execute(RedisCommand("INFO", "commandstats")).string()
            let mark = "cmdstat_\(command):calls="
            guard let start = text.range(of: mark)?.upperBound else { return 0 }
            return Int(text[start...].prefix { $0.isNumber }) ?? 0
        }
    }

    /// One by one, many at once, in workflows and of failures: each once, and nothing else on the way.
    @Test func theScriptThatEndsAMessageKeepsItsResult() async throws {
        try await withRedisServer { server in
            let stage = try await ResultStage(server)
            // As the worker does when it begins.
            try await stage.transport.verifyAccess(to: ["default"])
            let earlier = try await stage.calls("lpush")
            let messages = (0..<300).map { stage.number.message($0) } + [stage.number.message(-1)]
            try await stage.broker.enqueue(messages)
            for base in 0..<10 { try await stage.run(base * 10) }
            try await stage.work()
            #expect(stage.executor.keptApart == 0)
            let later = try await stage.calls("lpush")
            #expect(later - 2 * earlier == 361, "\(later) \(earlier)")
            #expect(try await stage.keys().count == 361)
            for (number, message) in messages.dropLast().enumerated() {
                #expect(try await message.result(Int.self, from: stage.broker, timeout: .zero) == number)
            }
            let failed = await #expect(throws: ResultError.self) {
                try await messages[300].result(Int.self, from: stage.broker, timeout: .zero)
            }
            #expect(failed?.code == .failed && failed?.errorType == "Failure")
            for message in [messages[0], messages[300]] {
                let ttl = try await stage.redis.execute(RedisCommand("PTTL", stage.key(message))).integer()
                #expect((900_000...1_000_000).contains(ttl))
            }
            await stage.redis.shutDown()
        }
    }

    /// On another client, which may be another server, or where a cluster would have them elsewhere.
    @Test(arguments: ["client", "slot"]) func otherwiseItIsKeptBefore(reason: String) async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { other in
                let counting = CountingExecutor(other)
                let stage = try await ResultStage(
                    server, namespace: reason == "slot" ? "{dramatiq}" : "dramatiq",
                    results: { RedisResultBackend(reason == "client" ? counting : $0, keys: .readable) })
                let messages = [1, 2, -1].map { stage.number.message($0) }
                try await stage.broker.enqueue(messages)
                try await stage.run(0)
                try await stage.work()
                #expect(stage.executor.keptApart + counting.keptApart == 9)
                #expect(try await stage.keys().count == 9)
                #expect(try await messages[1].result(Int.self, from: stage.broker, timeout: .zero) == 2)
                await stage.redis.shutDown()
            }
        }
    }

    @Test func whichKeysMayBeInACommit() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                func includes(_ namespace: String, _ backend: RedisResultBackend) -> Bool {
                    RedisTransport(redis, configuration: RedisTransport.Configuration(namespace: namespace))
                        .includes(backend)
                }
                #expect(includes("dramatiq", RedisResultBackend(redis)))
                #expect(includes("dramatiq", RedisResultBackend(redis, namespace: "{a}", keys: .readable)))
                #expect(includes("{a}", RedisResultBackend(redis, namespace: "results:{a}", keys: .readable)))
                #expect(!includes("{a}", RedisResultBackend(redis, namespace: "results:{a}")))
                #expect(!includes("{a}", RedisResultBackend(redis, namespace: "{b}", keys: .readable)))
                #expect(!includes("{a}", RedisResultBackend(redis, keys: .readable)))
                let other = try RedisClient(url: server.url)
                #expect(!includes("dramatiq", RedisResultBackend(other)))
                #expect(!RedisTransport(redis).includes(InMemoryResultBackend()))
                await other.shutDown()
            }
        }
    }

    @Test(arguments: [RedisResultBackend.KeyStyle.hashed, .readable], [1, 3])
    func aClusterKeepsThem(keys: RedisResultBackend.KeyStyle, nodes: Int) async throws {
        try await withRedisCluster(nodes: nodes) { cluster in
            let stage = try await ResultStage(
                cluster.nodes[0], namespace: "{jobs}",
                results: { RedisResultBackend($0, namespace: "{jobs}:results", keys: keys) })
            let messages = (0..<20).map { stage.number.message($0) }
            try await stage.broker.enqueue(messages)
            try await stage.run(0)
            try await stage.work()
            for (number, message) in messages.enumerated() {
                #expect(try await message.result(Int.self, from: stage.broker, timeout: .zero) == number)
            }
            #expect(stage.executor.keptApart == (keys == .hashed ? 26 : 0))
            #expect(stage.log.complaints.map(\.message) == [])
            await stage.redis.shutDown()
        }
    }

    /// It is in the place of a result, where nothing else belongs.
    @Test(arguments: [
        ["SET", "x"], ["SADD", "x"], ["HSET", "x", "y"], ["ZADD", "1", "x"], ["RPUSH", "x", "y"],
    ]) func aKeyOfAnotherTypeIsReplaced(words: [String]) async throws {
        try await withRedisServer { server in
            let stage = try await ResultStage(server)
            let messages = [1, -1].map { stage.number.message($0) }
            let (first, last) = (stage.number.message(2), stage.number.message(3))
            for message in messages + [first, last] {
                let command = RedisCommand(words[0], list: [stage.key(message)] + words.dropFirst())
                _ = try await stage.redis.execute(command)
            }
            try await stage.broker.enqueue(messages)
            try await Workflow(Chain(first, last), broker: stage.broker).run()
            try await stage.work()
            for (message, number) in [(messages[0], 1), (first, 2), (last, 3)] {
                #expect(try await message.result(Int.self, from: stage.broker, timeout: .zero) == number)
                let count = try await stage.redis.execute(RedisCommand("LLEN", stage.key(message))).integer()
                #expect(count == 1)
            }
            #expect(try await stage.transport.deadLetterCount() == 1)
            await stage.redis.shutDown()
        }
    }

    /// Where a user may not write a result, its message becomes a dead letter: nothing is lost, nothing goes on by half, and
    /// others end as ever.
    @Test func aResultThatMayNotBeKeptLosesNothing() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { admin in
                let rules = ["on", ">secret", "+@all", "~dramatiq:*", "~dramatiq", "~????????-????-*"]
                let user = { (more: [String]) in RedisCommand("ACL", "SETUSER", "worker", list: rules + more) }
                _ = try await admin.execute(user([]))
                let stage = try await ResultStage(
                    server, url: server.url.replacing("//", with: "//worker:secret@"))
                let silent = (0..<20).map { stage.number.messageWithOptions($0, options: ["store_results": false]) }
                try await stage.broker.enqueue(silent + [1, 2].map { stage.number.message($0) })
                try await Workflow(
                    Chain(stage.number.message(3), stage.number.message(4)), failurePolicy: .halt, broker: stage.broker
                ).run()
                try await stage.work()
                let letters = try await stage.transport.deadLetters()
                #expect(try letters.map { try $0.message().args.elements[0].intValue ?? 0 }.sorted() == [1, 2, 3])
                for letter in letters {
                    let parts = letter.reason.components(separatedBy: "What follows from the message can't be done")
                    #expect(parts.count == 2, "\(letter.reason)")
                    // As servers before 7.2 say it, and those since.
                    #expect(letter.reason.contains("can't access") || letter.reason.contains("NOPERM"))
                }
                #expect(try await stage.keys().isEmpty)
                _ = try await admin.execute(user(["~dramatiq-results:*"]))
                #expect(try await stage.transport.requeueDeadLetters() == 3)
                try await stage.work()
                #expect(try await stage.transport.deadLetterCount() == 0)
                #expect(try await stage.keys().count == 4)
                await stage.redis.shutDown()
            }
        }
    }

    /// A server that is full takes the ends of messages, and their results with them.
    @Test func aFullServerKeepsNoMessageFromEnding() async throws {
        try await withRedisServer { server in
            let stage = try await ResultStage(server)
            let messages = [1, 2, -3].map { stage.number.message($0) }
            try await stage.broker.enqueue(messages)
            let (first, last) = (stage.number.message(4), stage.number.message(5))
            try await Workflow(Chain(first, last), broker: stage.broker).run()
            _ = try await stage.redis.execute(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            try await stage.work()
            for (message, number) in [(messages[0], 1), (messages[1], 2), (first, 4), (last, 5)] {
                #expect(try await message.result(Int.self, from: stage.broker, timeout: .zero) == number)
            }
            #expect(try await stage.transport.deadLetterCount() == 1)
            #expect(try await stage.keys().count == 5)
            await stage.redis.shutDown()
        }
    }
}
