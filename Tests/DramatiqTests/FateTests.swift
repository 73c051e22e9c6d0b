import Dramatiq
import TestSupport
import Testing

/// An attempt at a message ends in one way, whatever its hooks do: it is done, tried again, a dead letter or back in its
/// queue.
@Suite(.timeLimit(.minutes(10))) struct FateTests {
    struct Failure: Error {}

    /// Throws at one hook, always.
    struct Thrower: AfterProcessMessage, AfterSkipMessage, BeforeAck, BeforeNack {
        enum Hook { case afterProcessMessage, afterSkipMessage, beforeAck, beforeNack }

        let hook: Hook
        var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

        private func come(to hook: Hook) throws {
            if hook == self.hook { throw Failure() }
        }

        func afterProcessMessage(_ context: inout MessageContext) async throws { try come(to: .afterProcessMessage) }
        func afterSkipMessage(_ context: inout MessageContext) async throws { try come(to: .afterSkipMessage) }
        func beforeAck(_ context: inout MessageContext) async throws { try come(to: .beforeAck) }
        func beforeNack(_ context: inout MessageContext) async throws { try come(to: .beforeNack) }
    }

    /// Declares messages failed that other hooks take for done.
    struct Verdict: BeforeAck {
        func beforeAck(_ context: inout MessageContext) async throws { context.fail("not good enough") }
    }

    private let transport = InMemoryTransport()
    private let log = RecordingLog()
    private let ran = Recorder<String>()

    private static func lists(_ middleware: any Middleware) -> [[any Middleware]] {
        let defaults = Broker.defaultMiddleware
        return (0...defaults.count).map { Array(defaults[..<$0]) + [middleware] + Array(defaults[$0...]) }
    }

    /// Runs a message of an actor that succeeds or fails, with something that would follow from either.
    private func run(_ middleware: [any Middleware], fails: Bool) async throws {
        let broker = Broker(transport: transport, middleware: middleware, logger: log.logger)
        let task = TaskActor(
            "task",
            options: [
                .onSuccess("told"), .onFailure("told"), .minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(2)),
            ]
        ) {
            ran.add("task")
            if fails { throw Failure() }
        }
        let told = TaskActor("told") { (_: JSONValue, _: JSONValue) in _ = ran.add("told") }
        let next = TaskActor("next") { _ = ran.add("next") }
        try await broker.declare(task, told, next)
        try await broker.enqueue(task.message().piped(into: next.message(), ignoringResult: true))
        let worker = Worker(
            broker, concurrency: 1,
            transitionRetries: TransitionRetryPolicy(
                attempts: 2, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1)))
        try await withWorker(worker) { try await transport.joinAll() }
    }

    /// The dead letters of `task`; those of what was to be told are of no interest.
    private var deadTasks: Int {
        get throws { try transport.deadLetters().filter { try $0.message().actorName == "task" }.count }
    }

    @Test(arguments: 0...6) func afterAFailureAHookThatThrowsDropsTheRetry(place: Int) async throws {
        try await run(Self.lists(Thrower(hook: .afterProcessMessage))[place], fails: true)
        #expect(ran.values.filter { $0 == "task" }.count == 1)
        #expect(try deadTasks == 1)
    }

    @Test(arguments: 0...6) func afterASuccessAHookThatThrowsDropsWhatFollows(place: Int) async throws {
        try await run(Self.lists(Thrower(hook: .afterProcessMessage))[place], fails: false)
        #expect(!ran.values.contains("next"))
        #expect(try deadTasks == 1)
    }

    @Test(arguments: [0, 3, 6]) func beforeTheAcknowledgementAHookThatThrowsDropsWhatFollows(place: Int) async throws {
        try await run(Self.lists(Thrower(hook: .beforeAck))[place], fails: false)
        #expect(ran.values == ["task"])
        #expect(try deadTasks == 1)
    }

    @Test(arguments: [0, 3, 6]) func beforeTheAcknowledgementOfAnAttemptThatFailedToo(place: Int) async throws {
        try await run(Self.lists(Thrower(hook: .beforeAck))[place], fails: true)
        #expect(ran.values.filter { $0 == "task" }.count == 1)
        #expect(try deadTasks == 1)
    }

    @Test(arguments: [true, false]) func aVerdictOfFailureDropsRetriesAndWhatFollows(fails: Bool) async throws {
        try await run(Broker.defaultMiddleware + [Verdict()], fails: fails)
        #expect(ran.values.filter { $0 == "task" }.count == 1)
        #expect(!ran.values.contains("next"))
        #expect(try deadTasks == 1)
    }

    @Test func aHookThatThrowsBeforeARejectionChangesNothing() async throws {
        let middleware = try Broker.defaultMiddleware.replacing(Retries.self, with: Retries(maxRetries: 0))
        try await run(middleware + [Thrower(hook: .beforeNack)], fails: true)
        #expect(ran.values.filter { $0 == "task" }.count == 1)
        #expect(try deadTasks == 1)
    }

    /// Sends an attempt of its own making; it has the message's id.
    struct OwnRetries: AfterProcessMessage {
        func afterProcessMessage(_ context: inout MessageContext) async throws {
            if context.error != nil { try await context.enqueue(context.message) }
        }
    }

    @Test func aRetryOfSomebodyElsesMakingIsDroppedAsWell() async throws {
        try await run([OwnRetries(), Callbacks(), Pipelines(), Thrower(hook: .beforeAck)] + Self.knowing, fails: true)
        #expect(ran.values.filter { $0 == "task" }.count == 1)
        #expect(try deadTasks == 1)
    }

    /// Knows the options of ``Retries``, and does nothing.
    private static var knowing: [any Middleware] {
        struct Options: Middleware {
            var actorOptions: Set<String> { ["min_backoff", "max_backoff"] }
        }
        return [Options()]
    }

    @Test func whatAHookSentBeforehandIsSentWhateverTheOutcome() async throws {
        struct Audit: BeforeProcessMessage {
            func beforeProcessMessage(_ context: inout MessageContext) async throws {
                guard context.message.actorName == "task" else { return }
                try await context.enqueue(context.broker.message(for: "next", []))
            }
        }
        try await run([Audit()] + Broker.defaultMiddleware + [Verdict()], fails: false)
        #expect(ran.values.filter { $0 == "next" }.count == 1)
        #expect(try deadTasks == 1)
    }

    @Test func anErrorThatNoMiddlewareSeesToIsLogged() async throws {
        let broker = Broker(transport: transport, middleware: [], logger: log.logger)
        let task = TaskActor("task") { throw Failure() }
        try await broker.declare(task)
        try await task.send(to: broker)
        try await withWorker(Worker(broker)) { try await transport.joinAll() }
        #expect(log.complaints.contains { $0.metadata["reason"] == "Failure()" })
    }
}
