import Dramatiq
import DramatiqMetrics
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

/// What is counted over a server.
@Suite(.timeLimit(.minutes(10))) struct RedisFigureTests {
    @Test func tasksAndSettlementsAreCounted() async throws {
        try await withRedisServer { server in
            let figures = Figures()
            let redis = try RedisClient(url: server.url, logger: RecordingLog().logger)
            let backend = RedisRateLimiterBackend(redis)
            let transport = RedisTransport(redis)
            let retries = try Broker.defaultMiddleware.replacing(
                Retries.self, with: Retries(minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1)))
            let broker = Broker(
                transport: transport,
                middleware: retries + [WorkflowMiddleware(backend: backend), figures.middleware(watchesQueues: true)],
                logger: RecordingLog().logger)
            let task = TaskActor("task") { (_: Int) in }
            let bad = TaskActor("bad", options: [.maxRetries(2)]) { throw Failure() }
            try await broker.declare(task, bad)
            try await broker.enqueue((0..<500).map { task.message($0) })
            try await bad.send(to: broker)
            try await Workflow(
                Chain(Group(children: (0..<50).map { task.message($0).node }), task.message(0)), broker: broker
            ).run()
            try await withWorker(Worker(broker)) {
                try await broker.joinAll(timeout: .patience)
                try await eventually { figures.gauge("swift_dramatiq_queue_messages", "default", "dead") == 1 }
            }
            #expect(figures.count("dramatiq_messages_total", "default", "task") == 551)
            #expect(figures.count("dramatiq_messages_total", "default", "bad") == 3)
            #expect(figures.count("dramatiq_message_retries_total", "default", "bad") == 2)
            #expect(figures.count("dramatiq_message_rejects_total", "default", "bad") == 1)
            // Those of the members, of the group as a step, and of the run.
            #expect(figures.count("swift_dramatiq_barriers_created_total") == 3)
            #expect(figures.count("swift_dramatiq_barriers_released_total") == 3)
            let settlements = figures.values("swift_dramatiq_settlement_milliseconds")
            #expect(!settlements.isEmpty)
            #expect(settlements.allSatisfy { $0 > 0 && $0 < 600_000 })
        }
    }
}
