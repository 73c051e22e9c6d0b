import Dramatiq
import DramatiqRedis
import RedisTestSupport
import ServiceLifecycle
import TestSupport
import Testing

/// Shutdowns whose server is gone, and those that begin with the client.
@Suite(.timeLimit(.minutes(10))) struct RedisShutdownTests {
    /// Whatever is done with the server has more time than these tests.
    private func patient(_ server: RedisServer) -> String {
        server.url + "?socket_timeout=1000&socket_connect_timeout=1000"
    }

    @Test(arguments: [true, false])
    func theOrderOfServicesDoesNotMatter(clientFirst: Bool) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let started = Recorder<Int>()
            let slow = TaskActor("slow") { (number: Int) in
                started.add(number)
                try await Task.sleep(for: .seconds(1000))
            }
            let short = TaskActor("short") { (_: Int) in started.add(-1) }
            try await stage.broker.declare(slow, short)
            try await stage.broker.enqueue((0..<10).map { slow.message($0) })
            let worker = Worker(stage.broker, concurrency: 2, gracePeriod: .milliseconds(200))
            let services: [any Service] = clientFirst ? [stage.redis, worker] : [worker, stage.redis]
            let group = ServiceGroup(services: services, logger: stage.log.logger)
            let running = Task { try await group.run() }
            try await eventually { started.count == 2 }
            await group.triggerGracefulShutdown()
            try await running.value
            let status = try await stage.transport.status(queue: "default")
            #expect((status.waiting, status.inFlight) == (10, 0))
            #expect(stage.log.complaints.map(\.message) == [])
            #expect(try await stage.keys().filter { $0.contains("__acks__") || $0.contains("__heartbeats__") } == [])
            await stage.redis.shutDown()
        }
    }

    enum Situation: CaseIterable, Sendable {
        /// The worker holds messages, and its actors run.
        case busy
        /// It waits for messages.
        case idle
        /// A message can't be settled.
        case settling
        /// It has not begun yet.
        case starting
        /// It is about to read messages that came back.
        case reading
        /// It is about to read delayed messages that came back.
        case readingDelayed
    }

    /// The server stands still, so that every command would wait for its full time, which is longer than this test. Then
    /// it goes on, and nothing is lost.
    @Test(arguments: Situation.allCases, [true, false])
    func aShutdownEndsAlthoughTheServerStandsStill(situation: Situation, isGraceful: Bool) async throws {
        try await withRedisServer(.appendOnly) { server in
            let stage = try await RedisStage(
                server, url: patient(server), heartbeatTimeout: .milliseconds(500), wrapping: FaultyExecutor.init)
            let started = Recorder<Int>()
            let gate = Recorder<Bool>()
            let slow = TaskActor("slow") { (number: Int) in
                started.add(number)
                if situation == .busy { try await Task.sleep(for: .seconds(1000)) }
                try await eventually(within: .seconds(100)) { gate.count > 0 }
            }
            try await stage.broker.declare(slow)
            try await stage.broker.declare(queue: "other")
            if situation != .idle { try await stage.broker.enqueue((0..<6).map { slow.message($0) }) }
            if situation == .starting { server.suspend() }
            let reads = Recorder<Bool>()
            if situation == .reading || situation == .readingDelayed {
                if situation == .readingDelayed {
                    try await stage.broker.enqueue([slow.message(6)], delay: .milliseconds(1))
                }
                try await comeBack(stage, situation == .reading ? "default" : "default.DQ")
                (stage.executor as? FaultyExecutor)?.set { command in
                    guard command.script?.source.contains("for i = 4, #ARGV, 2") ?? false else { return nil }
                    server.suspend()
                    reads.add(true)
                    return nil
                }
            }
            let worker = Worker(
                stage.broker, concurrency: 2, gracePeriod: .milliseconds(500),
                transitionRetries: TransitionRetryPolicy(minBackoff: .milliseconds(1)))
            let group = ServiceGroup(services: [stage.redis, worker], logger: stage.log.logger)
            let running = Task { try await group.run() }
            if situation == .busy || situation == .settling { try await eventually { started.count == 2 } }
            if situation == .idle { try await eventually { try await stage.transport.workers().count > 0 } }
            if situation == .reading || situation == .readingDelayed {
                try await eventually { reads.count > 0 }
            }
            server.suspend()
            gate.add(true)
            if isGraceful { await group.triggerGracefulShutdown() } else { running.cancel() }
            let isOver = Recorder<Bool>()
            let watching = Task {
                _ = await running.result
                isOver.add(true)
            }
            try await eventually(within: .seconds(60)) { isOver.count > 0 }
            await watching.value
            server.resume()
            await stage.redis.shutDown()
            if situation == .idle { return }
            let next = try await RedisStage(server, heartbeatTimeout: .milliseconds(500))
            let done = Recorder<Int>()
            try await next.broker.declare(TaskActor("slow") { (number: Int) in done.add(number) })
            // What it held comes back once it is silent for long enough; what was settled doesn't.
            try await withWorker(next.worker) { try await next.transport.join() }
            #expect(
                Set(done.values).union(situation == .busy ? [] : started.values)
                    == Set(0..<(situation == .readingDelayed ? 7 : 6)))
            #expect(try await next.transport.deadLetterCount() == 0)
            await next.redis.shutDown()
        }
    }

    /// Takes what is in a queue, as a worker that dies.
    private func comeBack(_ stage: RedisStage, _ queue: String) async throws {
        let ids = try await stage.redis.execute(RedisCommand("LRANGE", "dramatiq:\(queue)", 0, -1)).array()
        for id in ids {
            _ = try await stage.redis.execute(
                RedisCommand("HSET", "dramatiq:__redelivered__.\(queue)", try id.string(), 0))
        }
    }

    @Test(arguments: [true, false])
    func aShutdownEndsAlthoughTheServerIsGone(isBusy: Bool) async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, url: patient(server))
            let started = Recorder<Int>()
            let slow = TaskActor("slow") { (number: Int) in
                started.add(number)
                if isBusy { try await Task.sleep(for: .seconds(1000)) }
            }
            try await stage.broker.declare(slow)
            try await stage.broker.enqueue((0..<6).map { slow.message($0) })
            let group = ServiceGroup(
                services: [Worker(stage.broker, concurrency: 2, gracePeriod: .milliseconds(500)), stage.redis],
                logger: stage.log.logger)
            let running = Task { try await group.run() }
            try await eventually { started.count >= 2 }
            server.kill()
            await group.triggerGracefulShutdown()
            try await running.value
        }
    }
}
