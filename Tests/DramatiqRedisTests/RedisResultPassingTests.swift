import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// Tasks that take results of earlier ones, with all of it on a server.
@Suite(.timeLimit(.minutes(10))) struct RedisResultPassingTests {
    private let queue = "results"

    private func withBroker(_ body: (RedisServer, RedisClient, Broker) async throws -> Void) async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let broker = Broker(
                    transport: RedisTransport(redis),
                    middleware: Broker.defaultMiddleware + [
                        Results(backend: RedisResultBackend(redis, keys: .readable)),
                        WorkflowMiddleware(backend: RedisRateLimiterBackend(redis)),
                    ],
                    logger: RecordingLog().logger)
                try await body(server, redis, broker)
            }
        }
    }

    /// More than one batch, of results that are small and some that are not.
    @Test func aStepTakesTheResultsOfALargeGroup() async throws {
        try await withBroker { _, redis, broker in
            let text = TaskActor("text", queue: queue) { (number: Int) in
                String(repeating: "x", count: number.isMultiple(of: 100) ? 200_000 + number : number)
            }
            let taken = Recorder<[Int]>()
            let count = TaskActor("count", queue: queue) { (texts: [String], first: String) in
                taken.add(texts.map(\.utf8.count) + [first.utf8.count])
            }
            try await broker.declare(text, count)
            try await Workflow(broker: broker) {
                Chain {
                    text.message(1 << 20).named("first")
                    Group { for number in 0..<600 { text.message(number) } }
                    Message(count, taking: .previous, .named("first"))
                }
            }.run()
            try await withWorker(Worker(broker, concurrency: 8)) {
                try await eventually { taken.count > 0 }
            }
            let sizes = (0..<600).map { $0.isMultiple(of: 100) ? 200_000 + $0 : $0 }
            #expect(taken.values == [sizes + [1 << 20]])
            // For as long as what takes them may wait, or be among the dead letters.
            let keys = try await redis.execute(RedisCommand("KEYS", "dramatiq-results:*")).array()
            #expect(keys.count == 601)
            let ttl = try await redis.execute(RedisCommand("PTTL", try keys[0].string())).integer()
            #expect(ttl > 21 * 86_400_000)
        }
    }

    /// Its message is the same that was sent, so a worker that comes after one that died takes the same.
    @Test func aStepThatIsDeliveredAgainTakesTheSame() async throws {
        try await withBroker { _, _, broker in
            let taken = Recorder<Int>()
            let gate = Gate()
            let number = TaskActor("number", queue: queue) { 42 }
            let take = TaskActor("take", queue: queue) { (number: Int) in
                if taken.add(number) == 1 { try await gate.wait() }
            }
            try await broker.declare(number, take)
            try await Workflow(Chain(number.message(), Message(take, taking: .previous)), broker: broker).run()
            // Its time is over while the actor runs, so the message goes back.
            try await withWorker(Worker(broker, gracePeriod: .milliseconds(1))) {
                try await eventually { taken.count == 1 }
            }
            try await withWorker(Worker(broker)) { try await eventually { taken.count == 2 } }
            #expect(taken.values == [42, 42])
        }
    }
}
