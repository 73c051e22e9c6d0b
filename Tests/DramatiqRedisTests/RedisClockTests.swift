import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

#if os(Linux)
    /// The server's clock is set while workers are at work.
    @Suite(.timeLimit(.minutes(10))) struct RedisClockTests {
        private static let heartbeat = Duration.milliseconds(400)

        /// Waits until a stage's worker was heard so many times more, and others have looked for the dead as often.
        private func letBeat(_ times: Int, _ stage: RedisStage) async throws {
            for _ in 0..<times {
                let before = try await stage.transport.workers().map(\.lastHeard)
                try await eventually { try await stage.transport.workers().map(\.lastHeard) != before }
            }
        }

        private func serverTime(_ redis: RedisClient) async throws -> Int {
            try await redis.execute(RedisCommand("TIME")).array()[0].integer()
        }

        @Test func aServersClockCanBeSet() async throws {
            try await withRedisServer(.settable) { server in
                try await withRedis(server.url) { redis async throws in
                    let clock = try #require(server.clock)
                    let before = try await serverTime(redis)
                    try clock.set(.seconds(3600))
                    #expect((3600..<3700).contains(try await serverTime(redis) - before))
                    try clock.set(.seconds(-3600))
                    #expect((-3600 ..< -3500).contains(try await serverTime(redis) - before))
                }
            }
        }

        /// Whatever time it is for the server, what a live worker has begun is begun once.
        @Test(arguments: [3600, -3600, 86_400 * 365])
        func whatALiveWorkerHasIsNeverGivenAway(step: Int) async throws {
            try await withRedisServer(.settable) { server in
                let clock = try #require(server.clock)
                let stages = [
                    try await RedisStage(server, heartbeatTimeout: Self.heartbeat),
                    try await RedisStage(server, heartbeatTimeout: Self.heartbeat),
                ]
                let begun = Recorder<Int>()
                let gate = Gate()
                let slow = TaskActor("slow") { (number: Int) in
                    begun.add(number)
                    try await gate.wait()
                }
                for stage in stages { try await stage.broker.declare(slow) }
                try await stages[0].broker.enqueue((0..<40).map { slow.message($0) })
                try await withWorker(stages[0].worker) {
                    try await withWorker(stages[1].worker) {
                        try await eventually { begun.count == 8 }
                        // Both have looked and would have found each other dead by now.
                        try await letBeat(12, stages[0])
                        // Between any two heartbeats.
                        for round in 1...20 {
                            try clock.set(.seconds(round * step))
                            try await letBeat(1, stages[0])
                        }
                        try await letBeat(12, stages[0])
                        #expect(begun.count == 8)
                        gate.open()
                        try await stages[0].transport.join(timeout: .patience)
                    }
                }
                #expect(begun.values.sorted() == Array(0..<40))
                for stage in stages {
                    #expect(!stage.log.entries.contains { $0.message.contains("a dead worker had taken") })
                }
            }
        }

        /// Set back by an hour, what was written before seems to come from the future: what a dead worker has, and that
        /// somebody is about to return it.
        @Test(arguments: [3600, -3600])
        func whatADeadWorkerHasComesBackInTime(step: Int) async throws {
            try await withRedisServer(.settable) { server in
                let stage = try await RedisStage(server, heartbeatTimeout: Self.heartbeat)
                try await stage.broker.enqueue([stage.task.message("a"), stage.task.message("b")])
                for worker in ["worker-1", "python-2"] {
                    let id = try await stage.redis.execute(RedisCommand("LPOP", "dramatiq:default")).string()
                    let now = try await serverTime(stage.redis) * 1000
                    _ = try await stage.redis.pipeline([
                        RedisCommand("SADD", "dramatiq:__acks__.\(worker).default", id),
                        RedisCommand("ZADD", "dramatiq:__heartbeats__", now, worker),
                        RedisCommand("SET", "dramatiq:__reaper__", "other", "PX", 100),
                    ])
                }
                try #require(server.clock).set(.seconds(step))
                // Held for an hour, this would not end in time.
                try await stage.work()
                #expect(Set(stage.ran.values) == ["a", "b"])
                #expect(try await stage.transport.workers() == [])
            }
        }

        /// What is to be done next is lost with the barrier, and said so; it never starts early.
        @Test func barriersThatTimeHasTakenAreNeverComplete() async throws {
            try await withRedisServer(.settable) { server in
                let stage = try await RedisStage(server, heartbeatTimeout: Self.heartbeat)
                let task = stage.task
                try await Workflow(Group(task.message("1"), task.message("2")), task.message("3"), broker: stage.broker)
                    .run()
                try #require(server.clock).set(.seconds(15 * 86_400))
                try await stage.work()
                #expect(!stage.ran.values.contains("3"))
                #expect(Set(stage.ran.values) == ["1", "2"])
                let letters = try await stage.transport.deadLetters()
                #expect(letters.count == 2)
                #expect(letters.allSatisfy { $0.reason.contains("nobody knows who is still to arrive") })
            }
        }

        /// A delay is a time of the machine that sends and of the one that takes, and none of the server's.
        @Test(arguments: [3600, -3600]) func delayedMessagesAreDueAllTheSame(step: Int) async throws {
            try await withRedisServer(.settable) { server in
                let stage = try await RedisStage(server, heartbeatTimeout: Self.heartbeat)
                try await stage.broker.enqueue([stage.task.message("far")], delay: .seconds(1800))
                try await stage.broker.enqueue([stage.task.message("near")], delay: .milliseconds(200))
                try #require(server.clock).set(.seconds(step))
                try await withWorker(stage.worker) {
                    try await eventually { stage.ran.count == 1 }
                    try await letBeat(8, stage)
                }
                #expect(stage.ran.values == ["near"])
                #expect(try await stage.transport.status().delayed == 1)
            }
        }
    }
#endif
