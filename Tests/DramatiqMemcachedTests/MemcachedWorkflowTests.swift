import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import DramatiqMemcached

/// Workflows whose barriers are in Memcached, which stays, goes away, forgets and comes back.
@Suite(.timeLimit(.minutes(20))) struct MemcachedWorkflowTests {
    @Test func workflowsRunToTheirEnd() async throws {
        try await withMemcachedServers(2) { servers in
            try await withMemcached(servers.map(\.address)) { client async throws in
                let stage = try await MemcachedStage(client)
                let m = stage.task.message
                try await stage.start(
                    Chain(m("a"), Group(m("b"), Chain(m("c"), m("d")), Group(m("e"), m("f"))), m("g"), Group(), m("h")))
                try await withWorker(stage.worker) { try await stage.transport.joinAll(timeout: .patience) }
                let ran = stage.ran.values
                #expect(ran.first == "a" && ran.suffix(2) == ["g", "h"])
                #expect(ran.sorted() == ["a", "b", "c", "d", "e", "f", "g", "h"])
                #expect(stage.log.complaints.map(\.message) == [])
            }
        }
    }

    /// How the server comes to know nothing of a barrier any more.
    enum Loss: CaseIterable {
        case restart
        case eviction
    }

    /// The message is kept with the reason, and what waits for it doesn't run.
    @Test(arguments: Loss.allCases)
    func whatWaitsForALostBarrierNeverRuns(loss: Loss) async throws {
        let server = try await MemcachedServer(megabytes: 2)
        defer { server.kill() }
        try await withMemcached([server.address]) { client async throws in
            let stage = try await MemcachedStage(client)
            let m = stage.task.message
            try await stage.start(Group(m("a"), m("held"), m("b")), m("next"))
            try await withWorker(stage.worker) {
                try await eventually { Set(stage.ran.values) == ["a", "b"] }
                switch loss {
                case .restart: try await server.restart()
                case .eviction:
                    for batch in 0..<60 {
                        _ = try await client.execute(
                            (0..<1000).map { number in
                                let key = "\(UniqueID.make())_\(batch).\(number)"
                                return .add(key, Entry(text: key, flags: 0), Expiry(.seconds(1000)))
                            })
                    }
                }
                stage.gate.open()
                try await eventually { !stage.transport.deadLetters(queue: "default").isEmpty }
                try await stage.transport.joinAll(timeout: .patience)
            }
            // The others may have come too late as well.
            let letters = stage.transport.deadLetters(queue: "default")
            #expect(try letters.map { try $0.message().args }.contains(["held"]))
            #expect(letters.allSatisfy { $0.reason.contains("is not in the backend") })
            #expect(stage.ran.values.count == 3)
        }
    }

    /// Its time runs out while the server stands still; nothing runs meanwhile, and then all goes on.
    @Test func anOutageIsWaitedFor() async throws {
        try await withMemcachedServers(1) { servers in
            try await withMemcached([servers[0].address]) {
                $0.commandTimeout = .milliseconds(100)
                $0.maxBackoff = .milliseconds(100)
            } _: { client async throws in
                let stage = try await MemcachedStage(client)
                let m = stage.task.message
                try await stage.start(Group(m("a"), m("held")), m("next"))
                try await withWorker(stage.worker) {
                    try await eventually { stage.ran.values == ["a"] }
                    servers[0].suspend()
                    stage.gate.open()
                    // It has tried, and has been given no answer.
                    try await eventually { stage.ran.count == 2 }
                    try await eventually { await memcachedError { try await client.verifyServers() } != nil }
                    #expect(stage.ran.count == 2)
                    servers[0].resume()
                    try await stage.transport.joinAll(timeout: .patience)
                }
                #expect(stage.ran.values == ["a", "held", "next"])
                #expect(stage.transport.deadLetters(queue: "default").isEmpty)
            }
        }
    }

    /// The server takes what it is sent and says nothing, for longer than this test: a worker ends all the same, and what it
    /// could not settle goes back to its queue.
    @Test(arguments: [1, 8], [true, false])
    func aShutdownEndsAlthoughTheServerIsSilent(attempts: Int, isGraceful: Bool) async throws {
        try await withMemcachedServers(1) { servers in
            try await withMemcached([servers[0].address]) {
                $0.commandTimeout = .seconds(1000)
            } _: { client async throws in
                let stage = try await MemcachedStage(client)
                let m = stage.task.message
                try await stage.start(Group(m("held"), m("held"), m("held")), m("next"))
                let worker = Worker(
                    stage.broker, concurrency: 4, gracePeriod: .milliseconds(200),
                    transitionRetries: TransitionRetryPolicy(attempts: attempts, minBackoff: .milliseconds(1)))
                let group = ServiceGroup(services: [worker], logger: stage.log.logger)
                let running = Task { try await group.run() }
                try await eventually { stage.transport.status(queue: "default").inFlight == 3 }
                servers[0].suspend()
                stage.gate.open()
                try await eventually { stage.ran.count == 3 }
                if isGraceful { await group.triggerGracefulShutdown() } else { running.cancel() }
                _ = await running.result
                servers[0].resume()
                let status = stage.transport.status(queue: "default")
                #expect((status.waiting, status.inFlight, status.deadLetters) == (3, 0, 0))
            }
        }
    }

    /// Answers are lost again and again while random workflows run over Redis and Memcached.
    @Test func connectionsAreCut() async throws {
        try await withRedisServer { redis in
            try await withMemcachedServers(2) { servers in
                let seed = TestSeed(3)
                let generator = Mutex(seed.generator)
                var proxies: [CuttingProxy] = []
                for server in servers {
                    let proxy = try await CuttingProxy(to: server.port)
                    proxy.set {
                        generator.withLock { generator in
                            guard Int.random(in: 0..<30, using: &generator) == 0 else { return nil }
                            return Bool.random(using: &generator) ? .before : .after
                        }
                    }
                    proxies.append(proxy)
                }
                let fleet = try WorkflowFleet(
                    redis, namespace: "dramatiq", heartbeat: .seconds(60), memcached: proxies.map(\.address))
                let workers = [try fleet.startWorker(), try fleet.startWorker()]
                for number in 0..<20 { try await insisting { try await fleet.startTree(seed: TestSeed(number)) } }
                let violations = try await fleet.violations(exactlyOnce: false)
                #expect(violations == [], "\(seed)")
                #expect(proxies.allSatisfy { $0.cuts > 0 })
                #expect(workers.allSatisfy { $0.isRunning })
                for worker in workers { worker.kill() }
            }
        }
    }

    /// Servers with barriers are killed and come back empty: a workflow ends, or stops with a dead letter that says why.
    @Test func serversAreKilledAndComeBackEmpty() async throws {
        try await withRedisServer { redis in
            try await withMemcachedServers(2) { servers in
                let seed = TestSeed(4)
                var generator = seed.generator
                let fleet = try WorkflowFleet(
                    redis, namespace: "dramatiq", heartbeat: .seconds(60), memcached: servers.map(\.address))
                let workers = [try fleet.startWorker(), try fleet.startWorker()]
                for round in 0..<10 {
                    for tree in 0..<4 {
                        try await insisting { try await fleet.startTree(seed: TestSeed(round * 10 + tree)) }
                    }
                    try await fleet.progress(by: Int.random(in: 1...20, using: &generator))
                    try await servers[Int.random(in: 0...1, using: &generator)].restart()
                }
                let violations = try await fleet.violations(exactlyOnce: false, losingBarriers: true)
                #expect(violations == [], "\(seed)")
                #expect(workers.allSatisfy { $0.isRunning })
                for worker in workers { worker.kill() }
            }
        }
    }
}
