import Synchronization
import TestSupport
import Testing

@testable import Dramatiq

/// What those hear who only look on.
@Suite(.timeLimit(.minutes(10))) struct ObserverTests {
    private struct Failure: Error {}

    /// Notes what it is told, and by whose processor.
    private struct Notes: AttemptObserver, AfterNack, AfterNackUnread {
        let told = Recorder<String>()
        let kinds = Recorder<String>()
        let watches = Atomic32()

        func attemptWatch() -> any AttemptWatch {
            watches.add()
            return Watch(told: told)
        }

        func afterNack(_ context: MessageContext) { kinds.add("\(context.failureKind?.description ?? "none")") }
        func afterNackUnread(_ delivery: Delivery, reason: String, kind: FailureKind) {
            kinds.add("\(kind) in \(delivery.queueName)")
        }

        private final class Watch: AttemptWatch {
            let told: Recorder<String>
            private let isBusy = Mutex(false)

            init(told: Recorder<String>) {
                self.told = told
            }

            func attemptWillBegin(_ context: MessageContext) {
                isBusy.withLock { $0 = true }
                told.add("begin \(context.actor.name)")
            }

            func attemptDidEnd(_ context: MessageContext) {
                let wasBusy = isBusy.withLock { isBusy in
                    defer { isBusy = false }
                    return isBusy
                }
                let how = context.error.map { "\(type(of: $0))" } ?? (context.isSkipped ? "skipped" : "done")
                told.add(wasBusy ? "end \(how)" : "end without a beginning")
            }
        }
    }

    private final class Atomic32: Sendable {
        private let count = Atomic(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add() { count.wrappingAdd(1, ordering: .relaxed) }
    }

    private let notes = Notes()
    private let transport = InMemoryTransport(fidelity: .bytes)

    private func broker(_ more: [any Middleware] = []) throws -> Broker {
        let retries = Retries(minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1))
        return Broker(
            transport: transport,
            middleware: try Broker.defaultMiddleware.replacing(Retries.self, with: retries) + [notes] + more,
            logger: RecordingLog().logger)
    }

    private func run(_ broker: Broker, _ messages: Message...) async throws {
        let transitions = TransitionRetryPolicy(
            attempts: 2, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1))
        try await withWorker(Worker(broker, concurrency: 1, transitionRetries: transitions)) {
            for message in messages {
                try await broker.enqueue(message)
                try await transport.joinAll(timeout: .patience)
            }
        }
    }

    @Test func eachAttemptHasABeginningAndAnEnd() async throws {
        let broker = try broker()
        let good = TaskActor("good") {}
        let bad = TaskActor("bad", options: [.maxRetries(1)]) { throw Failure() }
        let slow = TaskActor("slow", options: [.maxRetries(0), .timeLimit(.milliseconds(20))]) {
            try await Task.sleep(for: .seconds(3600))
        }
        let old = TaskActor("old", options: [.maxAge(.seconds(1))]) {}
        try await broker.declare(good, bad, slow, old)
        var message = old.message()
        message.messageTimestamp = MessageTimestamp(milliseconds: 1)
        try await run(broker, good.message(), bad.message(), slow.message(), message)
        #expect(
            notes.told.values == [
                "begin good", "end done", "begin bad", "end Failure", "begin bad", "end Failure", "begin slow",
                "end TimeLimitExceeded", "begin old", "end skipped",
            ])
        #expect(notes.kinds.values == ["retries", "retries", "age"])
    }

    @Test func whatGoesBackHasNoEnd() async throws {
        let broker = try broker()
        let started = Gate()
        let slow = TaskActor("slow") {
            started.open()
            try await Task.sleep(for: .seconds(3600))
        }
        try await broker.declare(slow)
        try await slow.send(to: broker)
        try await withWorker(Worker(broker, concurrency: 1, gracePeriod: .zero)) { try await started.wait() }
        #expect(notes.told.values == ["begin slow"])
    }

    @Test func eachProcessorHasAWatch() async throws {
        let broker = try broker()
        #expect(notes.watches.value == 0)
        _ = Worker(broker, concurrency: 5)
        #expect(notes.watches.value == 5)
    }

    @Test func whatNobodyCanReadIsToldApart() async throws {
        let broker = try broker()
        try await broker.declare(queue: "default")
        let message = Message(queueName: "default", actorName: "nobody")
        try await transport.commit(Commit(sends: [Envelope(message, encoder: Garbage())]))
        try await run(broker, message)
        #expect(notes.kinds.values.sorted() == ["unknown_actor", "unreadable in default"])
        #expect(notes.told.values == [])
    }

    private struct Garbage: MessageEncoder {
        func encode(_ message: Message) throws -> [UInt8] { [123] }
        func decode(_ bytes: [UInt8]) throws -> Message { try JSONMessageEncoder().decode(bytes) }
    }

    @Test func aFailureHasItsKind() async throws {
        let broker = try broker([Fate()])
        let task = TaskActor("task", options: [.throws(Failure.self)]) { (number: Int) in
            if number == 1 { throw Failure() }
        }
        try await broker.declare(task)
        func message(_ args: JSONArray, _ options: MessageOptions = [:]) -> Message {
            Message(queueName: "default", actorName: "task", args: args, options: options)
        }
        try await run(
            broker, message([1]), message(["x"]), message([0], ["max_age": "x"]), message([0], ["fate": "declared"]),
            message([0], ["fate": "thrown"]), message([0], ["fate": "lost"]))
        #expect(notes.kinds.values == ["expected", "arguments", "option", "declared", "following", "barrier_lost"])
    }

    private struct Fate: BeforeAck {
        var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

        func beforeAck(_ context: inout MessageContext) async throws {
            switch context.message.options.value("fate")?.stringValue {
            case "declared"?: context.fail("as it says")
            case "thrown"?: throw Failure()
            case "lost"?: throw BarrierStateLost(key: "key")
            default: break
            }
        }
    }

    // MARK: Settlements

    private struct Settlements: Middleware, SettlementObserver {
        let batches = Recorder<(count: Int, latency: Duration)>()
        func didSettle(commits count: Int, after latency: Duration) { batches.add((count, latency)) }
    }

    @Test(arguments: [1, 16]) func batchesAreTimed(maxBatch: Int) async throws {
        let settlements = Settlements()
        let gated = Slow(base: InMemoryTransport(), maxBatch: maxBatch)
        let broker = Broker(transport: gated, middleware: Broker.defaultMiddleware + [settlements])
        let task = TaskActor("task") { (_: Int) in }
        try await broker.declare(task)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 { group.addTask { try await task.send(number, to: broker) } }
            try await group.waitForAll()
        }
        let batches = settlements.batches.values
        #expect(batches.map(\.count).reduce(0, +) == 50)
        #expect(batches.allSatisfy { $0.count <= maxBatch && $0.latency >= .milliseconds(1) })
    }

    /// Takes its time, as a server does.
    private struct Slow: TransportWrapper {
        let base: any Transport
        let maxBatch: Int

        var traits: TransportTraits {
            var traits = base.traits
            traits.isImmediate = false
            traits.maxBatch = maxBatch
            return traits
        }

        func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? { nil }
        func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
            try? await Task.sleep(for: .milliseconds(1))
            return await base.commit(commits)
        }
    }
}
