import Dramatiq
import DramatiqMetrics
import MetricsTestKit
import TestSupport
import Testing

/// How the queues do, as the transport tells.
@Suite(.timeLimit(.minutes(10))) struct QueueFigureTests {
    @Test func depthsAndAgesAreKept() async throws {
        let stage = try Stage(watchesQueues: true)
        let gate = Gate()
        let task = TaskActor("task") { try await gate.wait() }
        let bad = TaskActor("bad", queue: "other", options: [.maxRetries(0)]) { throw Failure() }
        try await stage.broker.declare(task, bad)
        try await bad.send(to: stage.broker)
        var old = task.message()
        old.messageTimestamp = MessageTimestamp(milliseconds: SystemClock.milliseconds() - 60_000)
        func messages(_ queue: String, _ state: String) -> Double? {
            stage.figures.gauge("swift_dramatiq_queue_messages", queue, state)
        }
        func age(_ queue: String) -> Double? { stage.figures.gauge("swift_dramatiq_queue_age_milliseconds", queue) }
        try await withWorker(Worker(stage.broker, concurrency: 2, prefetch: 2)) {
            // While both processors are free.
            try await eventually { messages("other", "dead") == 1 && messages("other", "waiting") == 0 }
            try await stage.broker.enqueue((0..<2).map { _ in task.message() })
            for _ in 0..<3 { try await stage.broker.enqueue(old) }
            try await task.send(to: stage.broker, delay: .seconds(3600))
            try await eventually {
                messages("default", "waiting") == 3 && messages("default", "in_flight") == 2
                    && messages("default", "delayed") == 1 && messages("default", "dead") == 0
            }
            try await eventually { age("default").map { $0 >= 60_000 && $0 < 660_000 } ?? false }
            #expect(age("other") == 0)
            gate.open()
            try await eventually { messages("default", "waiting") == 0 && age("default") == 0 }
        }
    }

    private struct Silent: TransportWrapper {
        let base: any Transport
        var operations: (any QueueOperations)? { nil }
    }

    @Test func aTransportThatCannotTellIsLeftAlone() async throws {
        let figures = Figures()
        let transport = Silent(base: InMemoryTransport())
        let broker = Broker(
            transport: transport, middleware: Broker.defaultMiddleware + [figures.middleware(watchesQueues: true)])
        let ran = Gate()
        let task = TaskActor("task") { ran.open() }
        try await broker.declare(task)
        try await task.send(to: broker)
        try await withWorker(Worker(broker)) { try await ran.wait() }
        #expect(figures.factory.meters(label: "swift_dramatiq_queue_messages").isEmpty)
    }
}
