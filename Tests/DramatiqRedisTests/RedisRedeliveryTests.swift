import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// What is known of messages that came back, and what is left of it.
@Suite(.timeLimit(.minutes(10))) struct RedisRedeliveryTests {
    private struct Failure: Error {}

    private static let key = "dramatiq:__redelivered__.default"

    /// Notes of which messages actors are told that they came back.
    private struct Witness: ProcessingMiddleware {
        let seen = Recorder<Bool>()

        func process(
            _ context: MessageContext,
            next: (Message) async throws -> ActorResult
        ) async throws -> ActorResult {
            seen.add(context.isRedelivered)
            return try await next(context.message)
        }
    }

    /// Writes down who was rejected, with what its middleware would add.
    private struct Mourner: BeforeNack {
        let names = Recorder<String>()

        func beforeNack(_ context: inout MessageContext) async throws { names.add(context.message.actorName) }
    }

    @Test func nothingIsLeftOfWhatCameBackAndHasEnded() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let fails = TaskActor("fails", options: [.maxRetries(1), .minBackoff(.milliseconds(1))]) { throw Failure() }
            try await stage.broker.declare(fails)
            // Acknowledged, retried, put among the dead letters, arriving at barriers.
            try await stage.broker.enqueue([stage.task.message("plain"), fails.message()])
            let task = stage.task
            try await Workflow(
                Group(task.message("1"), task.message("2"), task.message("3"), task.message("4"), task.message("5")),
                broker: stage.broker
            ).run()
            for _ in 0..<2 {
                let (_, consumer) = try await stage.take(7)
                await consumer.close()
                #expect(try await stage.redis.execute(RedisCommand("HLEN", Self.key)).integer() == 7)
            }
            #expect(try await stage.redis.execute(RedisCommand("PTTL", Self.key)).integer() > 0)
            try await stage.work()
            #expect(stage.ran.count == 6)
            #expect(try await stage.transport.deadLetterCount() == 1)
            #expect(try await stage.keys().filter { $0.contains("__redelivered__") } == [])
            #expect(Set(stage.log.complaints.map(\.message)).isSubset(of: ["Message failed"]))
        }
    }

    @Test func retriesAreNotRedeliveries() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let witness = Witness()
            let broker = Broker(
                transport: stage.transport, middleware: Broker.defaultMiddleware + [witness], logger: stage.log.logger)
            let fails = TaskActor("fails", options: [.maxRetries(2), .minBackoff(.milliseconds(1))]) { throw Failure() }
            try await broker.declare(fails)
            try await fails.send(to: broker)
            let (_, consumer) = try await stage.take()
            await consumer.close()
            try await withWorker(Worker(broker)) { try await stage.transport.join() }
            #expect(witness.seen.values == [true, false, false])
        }
    }

    /// The answer to a fetch is lost: the message is found, with what is known about it.
    @Test func aStrayIsKnownToHaveComeBack() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            try await stage.broker.enqueue([stage.task.message("a")])
            let (_, first) = try await stage.take()
            await first.close()
            let id = try await stage.redis.execute(RedisCommand("HKEYS", Self.key)).array()[0].string()
            _ = try await stage.redis.execute(RedisCommand("HSET", Self.key, id, 3))
            let consumer = try await stage.transport.consumer(of: "default", prefetch: 1)
            faulty.set { _ in .after }
            await #expect(throws: RedisError.self) { try await consumer.next(limit: 1) }
            faulty.set { _ in nil }
            let delivery = try #require(try await consumer.next(limit: 1).first)
            #expect((delivery.isRedelivered, delivery.crashes) == (true, 3))
            await consumer.close()
        }
    }

    /// Python's workers end messages and know nothing of what is noted about them.
    @Test func whatIsNotedAboutMessagesThatAreGoneIsSweptAway() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, heartbeatTimeout: .milliseconds(200))
            try await stage.broker.enqueue([stage.task.message("a")])
            let (_, first) = try await stage.take()
            await first.close()
            // It is held, and known to have come back.
            let (_, consumer) = try await stage.take()
            let id = try await stage.redis.execute(RedisCommand("HKEYS", Self.key)).array()[0]
            for number in 0..<2000 {
                _ = try await stage.redis.execute(RedisCommand("HSET", Self.key, "gone \(number)", 1))
            }
            _ = try await stage.redis.execute(RedisCommand("HSET", "dramatiq:__redelivered__.default.DQ", "gone", 1))
            let delayed = try await stage.transport.consumer(of: "default.DQ", prefetch: 1)
            try await eventually {
                try await stage.redis.execute(RedisCommand("HKEYS", Self.key)).array() == [id]
            }
            try await eventually {
                try await stage.redis.execute(RedisCommand("EXISTS", "dramatiq:__redelivered__.default.DQ"))
                    == .integer(0)
            }
            await delayed.close()
            await consumer.close()
        }
    }

    /// What another worker has by now isn't begun.
    @Test func aMessageThatWasTakenOverIsNotBegun() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await stage.broker.enqueue([stage.task.message("a")])
            let (_, first) = try await stage.take()
            await first.close()
            let (deliveries, consumer) = try await stage.take()
            let acks = try #require(try await stage.keys().first { $0.contains("__acks__") })
            let id = try await stage.redis.execute(RedisCommand("SPOP", acks)).string()
            await #expect(throws: BrokerError.self) { try await consumer.note(deliveries[0], isUnderWay: true) }
            #expect(try await stage.redis.execute(RedisCommand("HGET", Self.key, id)).string() == "0")
            await consumer.close()
        }
    }

    /// - Parameters:
    ///   - crashes: what the server has noted. Others may have written anything there.
    ///   - maximum: the worker's limit.
    ///   - fate: whether the message ran, and whether it was read when it became a dead letter.
    @Test(
        arguments: [
            ("4", 5, (ran: 1, mourned: 0)), ("5", 5, (ran: 0, mourned: 1)), ("6", 5, (ran: 0, mourned: 0)),
            ("900", nil, (ran: 1, mourned: 0)), ("1", 1, (ran: 0, mourned: 1)), ("many", 5, (ran: 1, mourned: 0)),
            ("-7", 5, (ran: 1, mourned: 0)), ("99999999999999999999", 5, (ran: 1, mourned: 0)),
        ] as [(String, Int?, (ran: Int, mourned: Int))])
    func theLimitIsTheWorkers(crashes: String, maximum: Int?, fate: (ran: Int, mourned: Int)) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let mourner = Mourner()
            let broker = Broker(
                transport: stage.transport, middleware: Broker.defaultMiddleware + [mourner], logger: stage.log.logger)
            try await broker.declare(stage.task)
            try await stage.task.send("a", to: broker)
            let (_, consumer) = try await stage.take()
            await consumer.close()
            let id = try await stage.redis.execute(RedisCommand("HKEYS", Self.key)).array()[0].string()
            _ = try await stage.redis.execute(RedisCommand("HSET", Self.key, id, crashes))
            try await withWorker(Worker(broker, maxCrashes: maximum)) { try await stage.transport.join() }
            #expect((stage.ran.count, mourner.names.count) == (fate.ran, fate.mourned))
            let letters = try await stage.transport.deadLetters()
            #expect(letters.count == 1 - fate.ran)
            #expect(letters.allSatisfy { $0.reason.contains("\(crashes) workers were lost") })
            #expect(try await stage.keys().filter { $0.contains("__redelivered__") } == [])
        }
    }
}
