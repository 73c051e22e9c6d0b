import Dramatiq
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ShutdownTests {
    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()

    @Test func aGracefulShutdownFinishesWhatRunsAndReturnsTheRest() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let started = Recorder<Int>()
        let finished = Recorder<Int>()
        let actor = TaskActor("work") { (number: Int) in
            started.add(number)
            try await Task.sleep(for: .milliseconds(100))
            finished.add(number)
        }
        try await broker.declare(actor)
        for number in 0..<20 { try await actor.send(number, to: broker) }
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Worker(broker, concurrency: 2, prefetch: 10).run() }
                try await eventually { started.count == 2 }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(started.values.sorted() == finished.values.sorted())
        #expect(transport.unfinishedCount(queue: "default") == 20 - finished.count)
        // The rest is in its place and in its order; two at a time could end in any.
        let early = finished.values.sorted()
        try await withWorker(Worker(broker, concurrency: 1)) { try await transport.join() }
        #expect(early + finished.values.dropFirst(early.count) == Array(0..<20))
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func whatOutlivesTheGracePeriodIsCancelledAndGoesBackWithoutARetry() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let runs = Recorder<JSONValue?>()
        let actor = TaskActor("endless") {
            guard runs.add(CurrentMessage.message?.options["retries"]) == 1 else { return }
            try await Task.sleep(for: .seconds(3600))
        }
        let withCurrent = Broker(transport: transport, middleware: Broker.defaultMiddleware + [CurrentMessage()])
        try await withCurrent.declare(actor)
        try await actor.send(to: broker)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Worker(withCurrent, gracePeriod: .milliseconds(150)).run() }
                try await eventually { runs.count == 1 }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(transport.unfinishedCount(queue: "default") == 1)
        #expect(transport.deadLetters().isEmpty)
        try await withWorker(Worker(withCurrent)) { try await transport.join() }
        #expect(runs.values == [nil, nil])
    }

    @Test func anActorThatAsksForItIsCancelledWhenTheShutdownBegins() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let started = Recorder<String>()
        let cancelled = Recorder<String>()
        func actor(_ name: String, _ options: [ActorOption], _ duration: Duration) -> TaskActor<Void> {
            TaskActor(name, options: options) {
                started.add(name)
                do {
                    try await Task.sleep(for: duration)
                } catch {
                    cancelled.add(name)
                    throw error
                }
            }
        }
        let notified = actor("notified", [.notifyShutdown(true)], .seconds(3600))
        let patient = actor("patient", [], .milliseconds(400))
        try await broker.declare(notified, patient)
        try await notified.send(to: broker)
        try await patient.send(to: broker)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Worker(broker, gracePeriod: .seconds(60)).run() }
                try await eventually { started.count == 2 }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(cancelled.values == ["notified"])
        #expect(transport.unfinishedCount(queue: "default") == 1)
    }

    @Test func cancellingAWorkerLosesNothing() async throws {
        let broker = Broker(transport: transport, middleware: Broker.defaultMiddleware)
        let runs = Mutex<[Int: Int]>([:])
        let actor = TaskActor("work") { (number: Int) in
            try await Task.sleep(for: .microseconds(Int.random(in: 0...500)))
            runs.withLock { $0[number, default: 0] += 1 }
        }
        try await broker.declare(actor)
        for number in 0..<2000 { try await actor.send(number, to: broker) }
        while transport.unfinishedCount(queue: "default") > 0 {
            try await withWorker(Worker(broker, concurrency: 4)) {
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...40)))
            }
        }
        #expect(runs.withLock { $0.count } == 2000)
        #expect(runs.withLock { $0.values.allSatisfy { $0 == 1 } })
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func delayedMessagesGoBackToTheirQueue() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let runs = Recorder<Int>()
        let actor = TaskActor("a") { _ = runs.add(1) }
        try await broker.declare(actor)
        try await actor.send(to: broker, delay: .milliseconds(400))
        try await withWorker(Worker(broker)) { try await Task.sleep(for: .milliseconds(50)) }
        #expect(transport.unfinishedCount(queue: "default") == 1)
        try await withWorker(Worker(broker)) { try await transport.join() }
        #expect(runs.count == 1)
    }

    @Test func aWorkerCanRunForAsLongAsABodyDoes() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let runs = Recorder<Int>()
        let actor = TaskActor("count") { (number: Int) in _ = runs.add(number) }
        try await broker.declare(actor)
        for number in 1...5 { try await actor.send(number, to: broker) }
        let transport = transport
        let left = try await Worker(broker).run {
            try await transport.join()
            return transport.unfinishedCount(queue: "default")
        }
        #expect(left == 0)
        #expect(runs.values.sorted() == [1, 2, 3, 4, 5])
        // Either's error ends the other one.
        await #expect(throws: Failure.self) { try await Worker(broker).run { throw Failure() } }
        await #expect(throws: BrokerError.invalidQueueName("1")) {
            try await Worker(broker, queues: ["1"]).run { try await Task.sleep(for: .seconds(3600)) }
        }
    }

    private struct Failure: Error {}
}
