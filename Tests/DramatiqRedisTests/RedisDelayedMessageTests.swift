import Dramatiq
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

@testable import DramatiqRedis

/// Delayed messages that become due, and what they cost.
@Suite(.timeLimit(.minutes(10))) struct RedisDelayedMessageTests {
    /// What was asked of the server for a delay queue: how often messages were taken, read again and moved.
    private final class Counts: Sendable {
        private let state = Mutex((fetches: 0, reads: 0, moves: 0))

        var fetches: Int { state.withLock(\.fetches) }
        var reads: Int { state.withLock(\.reads) }
        var moves: Int { state.withLock(\.moves) }

        func note(_ command: RedisCommand) {
            guard command.arguments.contains(where: { $0.starts(with: "default.DQ".utf8) || $0.isDelayHash }) else {
                return
            }
            state.withLock { counts in
                if command.name == "HMGET" {
                    counts.reads += 1
                } else if command.isCommit {
                    counts.moves += 1
                } else if command.script?.source.contains("LTRIM") ?? false {
                    counts.fetches += 1
                }
            }
        }
    }

    /// A broker whose actor notes the order in which it gets its messages, and the number of steps on the server.
    private struct Setting<Encoder: MessageEncoder> {
        let redis: RedisClient
        let transport: RedisTransport
        let broker: Broker
        let encoder: Encoder
        let counts = Counts()
        let order = Recorder<Int>()
        let task: TaskActor<Int, Void>

        init(_ server: RedisServer, _ encoder: Encoder, delayedMemory: Int = 8 << 20) async throws {
            self.encoder = encoder
            let log = RecordingLog()
            redis = try RedisClient(url: server.url, logger: log.logger)
            let executor = FaultyExecutor(redis)
            let counts = counts
            executor.set { command in
                counts.note(command)
                return nil
            }
            var configuration = RedisTransport.Configuration()
            configuration.delayedMemory = delayedMemory
            transport = RedisTransport(executor, configuration: configuration, logger: log.logger)
            broker = Broker(transport: transport, encoder: encoder, logger: log.logger)
            let order = order
            task = TaskActor("numbered") { number in _ = order.add(number) }
            try await broker.declare(task)
        }

        func send(_ range: Range<Int>, eta: Int) async throws {
            let envelopes = range.map { number in
                Envelope(
                    Message(
                        queueName: "default.DQ", actorName: "numbered", args: [.integer(number)],
                        options: ["eta": .integer(eta)]), encoder: encoder)
            }
            try await broker.commit(Commit(sends: Envelopes(envelopes)))
        }

        func work() async throws {
            try await withWorker(Worker(broker, concurrency: 1)) { try await transport.join(timeout: .patience) }
        }
    }

    @Test func whatIsDueGoesInBatchesInItsOrder() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, CountingEncoder())
            let count = 4000
            // Those due at the same time in the order in which they came.
            try await setting.send(0..<count, eta: 1_000)
            try await setting.work()
            #expect(setting.order.values == Array(0..<count))
            // Once in the delay queue, once in the queue.
            #expect(setting.encoder.decodedCount == 2 * count)
            // A thousand are taken with one script and moved with four.
            #expect((4...20).contains(setting.counts.fetches))
            #expect((16...40).contains(setting.counts.moves))
            #expect(setting.counts.reads == 0)
        }
    }

    @Test func whatWaitsIsKeptAndNotReadAgain() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, DeferringEncoder())
            // Of the same time, and behind them some that are due earlier.
            try await setting.send(0..<800, eta: 1)
            try await setting.send(800..<900, eta: 0)
            try await setting.work()
            #expect(setting.order.values == Array(800..<900) + Array(0..<800))
            #expect(setting.encoder.base.decodedCount == 2 * 900)
            #expect(setting.counts.reads == 0)
            #expect(setting.counts.moves <= 8)
        }
    }

    /// Messages that are due much later and lie in the queue itself, more than a worker may hold: each is moved once, also
    /// if the worker dies before the first step that moves some, or after it and before it hears of it.
    @Test(arguments: [nil, "before:1", "after:1"])
    func whatIsDueMuchLaterDoesNotStayInTheQueue(dying: String?) async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            let eta = SystemClock.milliseconds() + 3_600_000
            let count = 40
            try await fleet.broker.enqueue(
                (0..<count).map { number in
                    Message(
                        queueName: "default", actorName: "task", args: [.integer(number)],
                        options: ["eta": .integer(eta + number)])
                })
            try await fleet.sendTasks(0..<10, milliseconds: 0)
            if let dying { try await fleet.startWorker(die: dying).wait() }
            let worker = try fleet.startWorker()
            try await eventually { try await fleet.lives().values.filter { $0.ends == 1 }.count == 10 }
            try await eventually { try await fleet.transport.status(queue: "default").delayed == count }
            try await eventually {
                try await fleet.redis.execute(RedisCommand("HLEN", "dramatiq:default.msgs")).integer() == 0
            }
            worker.kill()
            let ids = try await fleet.redis.execute(RedisCommand("HKEYS", "dramatiq:default.DQ.msgs")).array()
            let bytes = try await fleet.redis.execute(RedisCommand("HVALS", "dramatiq:default.DQ.msgs")).array()
            var moved: [Int: Int] = [:]
            for (id, bytes) in zip(ids, bytes) {
                let message = try JSONMessageEncoder().decode(bytes.bytes())
                #expect(message.queueName == "default.DQ")
                #expect(try message.options["redis_message_id"]?.stringValue == id.string())
                moved[try #require(message.args.elements.first?.intValue)] = message.options["eta"]?.intValue
            }
            #expect(moved == Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, eta + $0) }))
        }
    }

    /// What doesn't fit into the memory for what waits is read once more when it is due.
    @Test func memoryIsBounded() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, DeferringEncoder(), delayedMemory: 10_000)
            try await setting.send(0..<500, eta: 0)
            let hash = try await setting.redis.execute(RedisCommand("HVALS", "dramatiq:default.DQ.msgs")).array()
            let sizes = try Set(hash.map { try $0.bytes().count })
            let kept = (10_000 / (try #require(sizes.max())))...(10_000 / (try #require(sizes.min())))
            try await setting.work()
            #expect(setting.order.values == Array(0..<500))
            #expect(setting.counts.reads == 1)
            #expect(kept.contains(3 * 500 - setting.encoder.base.decodedCount))
        }
    }
}

extension [UInt8] {
    fileprivate var isDelayHash: Bool { elementsEqual("dramatiq:default.DQ.msgs".utf8) }
}

/// Reads a message of a delay queue as one that is due half a second after the first one was read, and then by its own
/// `eta` in milliseconds.
private final class DeferringEncoder: MessageEncoder {
    let base = CountingEncoder()
    private let start = Mutex<Int?>(nil)

    func encode(_ message: Message) throws -> [UInt8] { try base.encode(message) }

    func decode(_ bytes: [UInt8]) throws -> Message {
        var message = try base.decode(bytes)
        guard let eta = message.options["eta"]?.intValue else { return message }
        let start = start.withLock { start in
            let known = start ?? SystemClock.milliseconds() + 500
            start = known
            return known
        }
        message.options["eta"] = .integer(start + eta)
        return message
    }
}
