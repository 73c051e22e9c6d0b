import Dramatiq
import DramatiqDedupStorage
import DramatiqMetrics
import DramatiqTestKit
import DramatiqWorkflow
import TestSupport
import Testing

/// What is counted of workflows.
@Suite(.timeLimit(.minutes(10))) struct WorkflowFigureTests {
    private let backend = InMemoryRateLimiterBackend()
    private let task = TaskActor("task") { (_: String) in }

    private func stage(_ backend: any StateStore, tracking: RunTracking = .disabled) async throws -> Stage {
        let stage = try Stage([WorkflowMiddleware(backend: backend, tracking: tracking)])
        try await stage.broker.declare(task)
        return stage
    }

    /// In memory with its messages, and with its barriers apart from them.
    @Test(arguments: [false, true]) func barriersAreCounted(isApart: Bool) async throws {
        let store: any StateStore = isApart ? StoreApart(backend) : backend
        let stage = try await stage(store)
        // The barriers of "a", of the two members, and of the group as a step.
        try await Workflow(broker: stage.broker) {
            Chain {
                task.message("a")
                Group {
                    task.message("b")
                    task.message("c")
                }
                task.message("d")
            }
        }.run()
        try await stage.work()
        let figures = stage.figures
        #expect(figures.count("dramatiq_messages_total", "default", "task") == 4)
        #expect(figures.count("swift_dramatiq_barriers_created_total") == 3)
        #expect(figures.count("swift_dramatiq_barriers_released_total") == 3)
        #expect(figures.count("swift_dramatiq_barriers_lost_total") == 0)
        // The last task has nothing behind it that its message would have to know of.
        let hops = figures.values("swift_dramatiq_hop_milliseconds", "default", "task")
        #expect(hops.count == 3)
        #expect(hops.allSatisfy { $0 >= 0 && $0 < 600_000 })
    }

    @Test func aRunHasABarrierOfItsOwn() async throws {
        let stage = try await stage(backend, tracking: .enabled)
        try await Workflow(task.message("a"), broker: stage.broker).run()
        try await stage.work()
        #expect(stage.figures.count("swift_dramatiq_barriers_created_total") == 1)
        #expect(stage.figures.count("swift_dramatiq_barriers_released_total") == 1)
    }

    @Test func lostBarriersAreCounted() async throws {
        let stage = try await stage(backend)
        try await Workflow(Chain(task.message("a"), task.message("b")), broker: stage.broker).run()
        // Another backend knows nothing of it.
        let lost = try Stage([WorkflowMiddleware(backend: InMemoryRateLimiterBackend())])
        try await lost.broker.declare(task)
        for queued in stage.transport.sample(queue: "default", limit: 10) {
            try await lost.broker.enqueue(queued.payload.message(decoder: JSONMessageEncoder()))
        }
        try await withWorker(
            Worker(
                lost.broker,
                transitionRetries: TransitionRetryPolicy(
                    attempts: 2, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1)))
        ) { try await lost.transport.joinAll(timeout: .patience) }
        #expect(lost.figures.count("swift_dramatiq_barriers_lost_total") == 1)
        #expect(lost.figures.labels("swift_dramatiq_dead_letters_total") == [["default", "task", "barrier_lost"]])
    }

    @Test func cachesAreCounted() async throws {
        let cache = WorkflowCache()
        let figures = Figures()
        let store = MeasuredWorkflowStore(InMemoryWorkflowStore(), name: "memory", factory: figures.factory)
        let storage = DedupCallbackStorage(store, inlineLimit: 0, cache: cache)
        let metrics = MetricsMiddleware(
            factory: figures.factory, interval: .milliseconds(5), watchesQueues: false, caches: [cache])
        let transport = InMemoryTransport()
        let broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [metrics]
                + [WorkflowMiddleware(backend: backend, callbackStorage: storage)])
        try await broker.declare(task)
        func work() async throws {
            try await Workflow(
                Chain(task.message("a"), task.message("b"), task.message("c")), broker: broker
            ).run()
            try await withWorker(Worker(broker)) { try await transport.joinAll(timeout: .patience) }
        }
        try await work()
        #expect(figures.count("swift_dramatiq_cache_hits_total") > 0)
        #expect(figures.count("swift_dramatiq_cache_misses_total") == 0)
        #expect(figures.count("swift_dramatiq_storage_bytes_total", "memory", "out") > 0)
        #expect(figures.count("swift_dramatiq_storage_bytes_total", "memory", "in") == 0)
        let hits = cache.lookups.hits
        #expect(figures.count("swift_dramatiq_cache_hits_total") == hits)
        try await Workflow(
            Chain(task.message("a"), task.message("b"), task.message("c")), broker: broker
        ).run()
        cache.removeAll()
        try await withWorker(Worker(broker)) { try await transport.joinAll(timeout: .patience) }
        #expect(figures.count("swift_dramatiq_cache_misses_total") > 0)
        #expect(figures.count("swift_dramatiq_cache_misses_total") == cache.lookups.misses)
        #expect(figures.count("swift_dramatiq_storage_bytes_total", "memory", "in") > 0)
    }
}
