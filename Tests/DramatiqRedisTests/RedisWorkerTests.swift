import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

/// Workers that live long, die, come back, and meet outages.
@Suite(.timeLimit(.minutes(10))) struct RedisWorkerTests {
    @Test func whatADeadWorkerHeldComesBack() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, heartbeatTimeout: .milliseconds(200))
            // Traces of two workers that died: one of Swift with a delayed message, one of Python.
            for (worker, queue) in [("11111111-aaaa", "default"), ("22222222-bbbb", "default.DQ")] {
                let envelope = try await stage.broker.envelope(
                    stage.task.message(worker), delay: queue == "default" ? nil : .milliseconds(1))
                try await stage.broker.commit(Commit(sends: [envelope]))
                let id = try await stage.redis.execute(RedisCommand("LPOP", "dramatiq:\(queue)")).string()
                _ = try await stage.redis.execute(RedisCommand("SADD", "dramatiq:__acks__.\(worker).\(queue)", id))
                _ = try await stage.redis.execute(RedisCommand("ZADD", "dramatiq:__heartbeats__", 1000, worker))
            }
            try await stage.work()
            #expect(Set(stage.ran.values) == ["11111111-aaaa", "22222222-bbbb"])
            #expect(try await stage.transport.workers() == [])
        }
    }

    @Test func aShutdownReturnsWhatWasTaken() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let started = Recorder<Int>()
            let slow = TaskActor("slow") { (number: Int) in
                started.add(number)
                try await Task.sleep(for: .seconds(3600))
            }
            try await stage.broker.declare(slow)
            try await stage.broker.enqueue((0..<20).map { slow.message($0) })
            try await stage.broker.enqueue([stage.task.message("later")], delay: .seconds(500))
            try await withWorker(stage.worker) {
                try await eventually { started.count == 4 }
                try await eventually { try await stage.transport.status(queue: "default").inFlight > 0 }
            }
            let status = try await stage.transport.status(queue: "default")
            #expect((status.waiting, status.inFlight, status.delayed) == (20, 0, 1))
            #expect(try await stage.keys().filter { $0.contains("__acks__") || $0.contains("__heartbeats__") } == [])
            let ids = try await stage.redis.execute(RedisCommand("LRANGE", "dramatiq:default", 0, -1)).array()
            #expect(ids.count == 20)
        }
    }

    @Test func aDelayedMessageNeverBlocksOnesBehindIt() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server, delayedLimit: 50)
            try await stage.broker.enqueue((0..<1500).map { stage.task.message("far \($0)") }, delay: .seconds(1000))
            try await stage.broker.enqueue((0..<100).map { stage.task.message("near \($0)") }, delay: .milliseconds(10))
            try await withWorker(stage.worker) {
                try await eventually { stage.ran.count == 100 }
            }
            #expect(stage.ran.values.allSatisfy { $0.hasPrefix("near") })
            let status = try await stage.transport.status(queue: "default")
            #expect((status.waiting, status.inFlight, status.delayed) == (0, 0, 1500))
            #expect(try await stage.redis.execute(RedisCommand("LLEN", "dramatiq:default.DQ")).integer() == 1500)
        }
    }

    @Test func aServerThatIsKilledIsWaitedFor() async throws {
        try await withRedisServer(.appendOnly) { server in
            let stage = try await RedisStage(server, heartbeatTimeout: .milliseconds(500))
            try await withWorker(stage.worker) {
                for round in 0..<3 {
                    let names = (0..<40).map { "\(round).\($0)" }
                    try await Workflow(
                        Chain(children: names.map { .message(stage.task.message($0)) }), broker: stage.broker
                    )
                    .run()
                    try await eventually { stage.ran.count > round * 40 + 5 }
                    try await server.restart()
                    try await eventually { stage.ran.values.contains("\(round).39") }
                }
                try await stage.transport.join()
            }
            #expect(Set(stage.ran.values).count == 120)
            #expect(try await stage.transport.deadLetterCount() == 0)
        }
    }

    @Test func serversThatCanNotWaitForUsAreAskedAtIntervals() async throws {
        var setup = RedisServer.Setup.plain
        setup.directives = ["rename-command BLMOVE \"\""]
        try await withRedisServer(setup) { server in
            let stage = try await RedisStage(server)
            let producer = try await RedisStage(server)
            try await withWorker(stage.worker) {
                for number in 0..<20 {
                    try await producer.task.send("\(number)", to: producer.broker)
                    try await eventually { stage.ran.count == number + 1 }
                }
            }
        }
    }

    @Test func namespacesAreApart() async throws {
        try await withRedisServer { server in
            let first = try await RedisStage(server, namespace: "a*b[c]")
            let second = try await RedisStage(server, namespace: "other")
            try await first.task.send("first", to: first.broker)
            try await second.task.send("second", to: second.broker)
            #expect(try await first.transport.queueNames() == ["default"])
            try await first.work()
            #expect(first.ran.values == ["first"])
            #expect(try await second.transport.unfinishedCount() == 1)
        }
    }

    /// Commands fail before they are sent, and answers are lost. With the barriers on the same client nothing runs
    /// twice; elsewhere nothing is lost and nothing starts too early.
    @Test(arguments: [true, false])
    func lostAnswersDoNotDoubleAWorkflow(sharesBarriers: Bool) async throws {
        try await withRedisServer { server in
            for seed in TestSeed.first(20) {
                let dice = Mutex(seed.generator)
                let stage = try await RedisStage(
                    server, namespace: "n\(seed.number)", store: sharesBarriers ? nil : InMemoryRateLimiterBackend()
                ) { client in
                    let faulty = FaultyExecutor(client)
                    faulty.set { _ in
                        switch dice.withLock({ Int.random(in: 0..<20, using: &$0) }) {
                        case 0: .before
                        case 1, 2: .after
                        default: nil
                        }
                    }
                    return faulty
                }
                let (task, watcher) = (stage.task, try await RedisStage(server, namespace: "n\(seed.number)"))
                try await withWorker(stage.worker) {
                    try await Workflow(
                        Chain(
                            task.message("1"),
                            Group(
                                task.message("2"), Chain(task.message("3"), task.message("4")), Group(task.message("5"))
                            ),
                            task.message("6")),
                        broker: stage.broker
                    ).run()
                    try await eventually { stage.ran.values.contains("6") }
                    try await eventually {
                        try await watcher.transport.unfinishedCount() == 0
                    }
                }
                await watcher.redis.shutDown()
                let names = stage.ran.values
                #expect(Set(names).count == 6, "\(seed)")
                if sharesBarriers { #expect(names.count == 6, "\(seed)") }
                #expect((stage.ran.values.first, stage.ran.values.last) == ("1", "6"), "\(seed)")
            }
        }
    }
}
