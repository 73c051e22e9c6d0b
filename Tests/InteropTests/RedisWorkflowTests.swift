import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import Foundation
import RedisTestSupport
import TestSupport
import Testing

/// Workflows whose tasks run in Swift and in Python.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RedisWorkflowTests {
    /// Chains, groups, delays, retries and empty nodes, each task in a language that was drawn by lot, started by either
    /// side: every task runs once, and none too early.
    @Test func workflowsCrossBothLanguages() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            try await fleet.withBothWorkers {
                try await fleet.startTrees(TestSeed.first(200))
                let violations = try await fleet.violations(exactlyOnce: true)
                #expect(violations == [])
            }
        }
    }

    /// With barriers in Memcached, on two servers: dramatiq's own and those that open at most once.
    @Test(arguments: [(BarrierStyle.counting, 200), (.atMostOnce, 60)])
    func workflowsCrossBothLanguagesOverMemcached(barriers: BarrierStyle, trees: Int) async throws {
        try await withRedisServer { server in
            try await withMemcachedServers(2) { memcached in
                let fleet = try WorkflowFleet(
                    server, namespace: "dramatiq", heartbeat: .seconds(60), memcached: memcached.map(\.address),
                    barriers: barriers)
                try await fleet.withBothWorkers {
                    try await fleet.startTrees(TestSeed.first(trees))
                    let violations = try await fleet.violations(exactlyOnce: true)
                    #expect(violations == [])
                }
            }
        }
    }

    /// In one slot of a cluster, too. Python talks to the node that has the slot, Swift to any.
    @Test(arguments: [1, 3])
    func workflowsCrossBothLanguagesInAClustersSlot(nodes: Int) async throws {
        try await withRedisCluster(nodes: nodes) { cluster in
            let owner = try await cluster.owner(of: "{dramatiq}")
            let fleet = try WorkflowFleet(
                cluster.nodes[owner], namespace: "{dramatiq}", heartbeat: .seconds(60),
                entry: cluster.nodes[(owner + 1) % nodes])
            try await fleet.withBothWorkers {
                try await fleet.startTrees(TestSeed.first(60))
                let violations = try await fleet.violations(exactlyOnce: true)
                #expect(violations == [])
            }
        }
    }

    /// The Swift worker is killed again and again while workflows run; one of Python finds what it held, and finishes.
    @Test func pythonTakesOverWhatSwiftHeld() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(1000))
            let never = server.directory.appending(path: "never")
            for round in 0..<4 {
                let swift = try fleet.startWorker(concurrency: 4, holdingUntil: never)
                for tree in 0..<5 { try await fleet.startTree(seed: TestSeed(round * 5 + tree)) }
                // Whatever else it has done by then, this one it holds.
                try await fleet.sendTasks(round..<round + 1, milliseconds: -1)
                try await eventually { try await fleet.lives()[round] != nil }
                swift.kill()
            }
            #expect(try await fleet.transport.unfinishedCount() >= 4)
            let python = try fleet.startPythonWorker(actors: "task@default")
            let violations = try await fleet.violations(exactlyOnce: false)
            #expect(violations == [])
            #expect(try await fleet.lives().values.filter { $0.ends > 0 }.count == 4)
            python.kill()
        }
    }

    /// The other way round, with single tasks: Python's own steps after a task are not one commit, so a workflow can be
    /// lost when its Python worker dies ("Mix Swift and Python").
    @Test func swiftTakesOverWhatPythonHeld() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(1000))
            for round in 0..<2 {
                let python = try fleet.startPythonWorker(actors: "task@default", isHolding: true)
                let tasks = round * 30..<round * 30 + 30
                try await fleet.sendTasks(tasks.lowerBound..<tasks.upperBound - 1, milliseconds: 20)
                // Whatever else it has done by then, this one it holds.
                try await fleet.sendTasks(tasks.upperBound - 1..<tasks.upperBound, milliseconds: -1)
                try await eventually { try await fleet.lives()[tasks.upperBound - 1] != nil }
                python.kill()
            }
            #expect(try await fleet.transport.unfinishedCount() >= 2)
            let swift = try fleet.startWorker(concurrency: 16)
            let violations = try await fleet.violations(exactlyOnce: false)
            #expect(violations == [])
            #expect(try await fleet.lives().values.filter { $0.ends > 0 }.count == 60)
            swift.kill()
        }
    }

    /// A task that takes a while.
    private func task(_ id: Int, _ language: String) -> Message {
        WorkflowFleet.task(id, language, milliseconds: 50)
    }

    /// A pipeline is one task of its workflow, whoever runs its messages: the next step waits for the last of them.
    @Test(arguments: [["python", "python", "swift"], ["swift", "python", "python"], ["python", "swift", "python"]])
    func aWorkflowWaitsForPipelinesThatCrossBothLanguages(languages: [String]) async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            try await fleet.withBothWorkers {
                let links = languages.enumerated().map { task($0, $1) }
                let pipeline = links[0].piped(into: links[1], ignoringResult: true)
                    .piped(into: links[2], ignoringResult: true)
                try await Workflow(Chain(pipeline, task(3, "swift"), task(4, "python")), broker: fleet.broker).run()
                #expect(try await fleet.order(count: 5) == [0, 1, 2, 3, 4])
            }
        }
    }

    /// A run that is paused or cancelled goes no further than Python's worker takes it by itself: the next task that a worker
    /// of Swift gets stays where it is, or is dropped.
    @Test(arguments: [RunState.paused, .cancelled])
    func aStopHoldsWhereAWorkflowComesBackToSwift(state: RunState) async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            let run = try await Workflow(
                Chain(
                    task(0, "python"), Group(task(1, "swift"), task(2, "swift")), task(3, "python"),
                    task(4, "swift")),
                broker: fleet.broker
            ).run()
            if state == .paused { try await run.pause() } else { try await run.cancel() }
            try await fleet.withBothWorkers {
                try await eventually {
                    let total = try await run.status().total
                    return total.held + total.skipped == 2
                }
                #expect(try await fleet.order(count: 1) == [0])
                guard state == .paused else { return }
                #expect(try await run.resume() == 2)
                try await run.wait(timeout: .patience)
                let order = try await fleet.order(count: 5)
                #expect(order.sorted() == [0, 1, 2, 3, 4] && order.suffix(2) == [3, 4])
            }
        }
    }

    /// What takes the place of an empty part with a delay lies in a queue of its workflow, also for a Python worker that
    /// takes from no other.
    @Test(arguments: ["python", "swift"])
    func emptyPartsWithADelayRunWhereTheirWorkflowDoes(language: String) async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
            let worker =
                language == "swift"
                ? try fleet.startWorker(actors: "swift@swift", queues: "swift")
                : try fleet.startPythonWorker(queues: "python")
            let empty = WithDelay(Group(), delay: .milliseconds(20))
            try await Workflow(
                Chain(Group(empty, Chain(empty, task(0, language))), task(1, language)), broker: fleet.broker
            ).run()
            #expect(try await fleet.order(count: 2) == [0, 1])
            worker.kill()
        }
    }
}
