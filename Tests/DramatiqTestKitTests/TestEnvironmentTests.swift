import Dramatiq
import DramatiqTestKit
import DramatiqWorkflow
import Synchronization
import Testing

/// Tests of one's own code with a clock that nobody waits for.
@Suite(.timeLimit(.minutes(10))) struct TestEnvironmentTests {
    private static let resize = TaskActor("resize") { (_: String) in }
    private static let publish = TaskActor("publish") { (_: String) in }
    private let resize = Self.resize
    private let publish = Self.publish

    @Test func aWorkflowRunsInOrderWithoutWaiting() async throws {
        let environment = try await TestEnvironment(resize, publish)
        let run = try await Workflow(
            Chain(
                Group(resize.message("a"), WithDelay(resize.message("b"), delay: .seconds(3600))),
                WithDelay(publish.message("c"), delay: .seconds(30 * 86_400))),
            broker: environment.broker
        ).run()
        #expect(environment.enqueued.map(\.delay) == [nil, .seconds(3600)])
        #expect(environment.attempts.isEmpty)
        try await environment.run()
        #expect(environment.succeeded == ["resize", "resize", "publish"])
        #expect(try await run.status().run.state == .succeeded)
        let times = environment.attempts.map(\.ended.sinceStart)
        #expect(times[0] == .zero)
        // Times are in milliseconds, and the clock stands between two of them at the start.
        #expect(times[1] >= .seconds(3600) && times[1] < .seconds(3601))
        #expect(times[2] >= .seconds(3600 + 30 * 86_400) && times[2] < .seconds(3602 + 30 * 86_400))
    }

    @Test func retriesComeAtOnce() async throws {
        let environment = try await TestEnvironment(resize, publish)
        environment.fail(resize, times: 2)
        try await resize.send("a", to: environment.broker)
        try await environment.run()
        #expect(environment.attempts.map(\.outcome) == [.retried, .retried, .succeeded])
        #expect(environment.attempts.first?.error is InjectedFailure)
        #expect(environment.enqueued.map { $0.message.options["retries"]?.intValue } == [nil, 1, 2])
        // 15 s and 30 s at least.
        #expect(environment.clock.now.sinceStart >= .seconds(45))
    }

    @Test func whatFailsForGoodIsSeen() async throws {
        struct Refused: Error {}
        let environment = try await TestEnvironment(resize, publish)
        environment.fail(resize, times: 3, throwing: Refused())
        let run = try await Workflow(
            Chain(resize.messageWithOptions("a", options: ["max_retries": 2]), publish.message("b")),
            broker: environment.broker
        ).run()
        try await environment.run()
        #expect(environment.attempts.map(\.outcome) == [.retried, .retried, .failed])
        #expect(environment.attempts.last?.error is Refused)
        #expect(environment.deadLetters.count == 1)
        #expect(try await run.status().run.state == .failed)
        try await run.retryFailed()
        try await environment.run()
        #expect(environment.succeeded == ["resize", "publish"])
    }

    @Test func timeLimitsAreNotWaitedFor() async throws {
        let environment = try await TestEnvironment(resize, publish)
        environment.delay(resize, by: .seconds(3600), times: .max)
        try await environment.broker.enqueue(resize.messageWithOptions("a", options: ["max_retries": 0]))
        try await environment.run()
        #expect(environment.attempts.map(\.outcome) == [.failed])
        #expect(environment.attempts.first?.error is TimeLimitExceeded)
        #expect(environment.clock.now.sinceStart == .seconds(600))
    }

    @Test func agesCountByTheClock() async throws {
        let environment = try await TestEnvironment(resize, publish)
        let sender = TaskActor("sender") { [broker = environment.broker] in
            try await broker.enqueue(Self.publish.messageWithOptions("new", options: ["max_age": 3_600_000]))
        }
        try await environment.broker.declare(sender)
        let old = resize.messageWithOptions("old", options: ["max_age": 3_600_000])
        try await environment.broker.enqueue(old, delay: .seconds(7200))
        try await environment.broker.enqueue(sender.message(), delay: .seconds(7200))
        try await environment.run()
        #expect(environment.succeeded == ["sender", "publish"])
        #expect(environment.attempts.first { $0.message.actorName == "resize" }?.outcome == .failed)
        #expect(environment.attempts.first { $0.message.actorName == "resize" }?.began == nil)
    }

    @Test func theClockGoesNoFurtherThanIsAsked() async throws {
        let environment = try await TestEnvironment(resize, publish)
        try await environment.broker.enqueue(resize.message("a"), delay: .seconds(60))
        try await environment.broker.enqueue(publish.message("b"), delay: .seconds(180))
        try await environment.run(for: .seconds(120))
        #expect(environment.succeeded == ["resize"])
        #expect(environment.clock.now.sinceStart == .seconds(120))
        try await environment.run()
        #expect(environment.succeeded == ["resize", "publish"])
    }

    @Test func whatStillSleepsGoesBack() async throws {
        let environment = try await TestEnvironment(resize)
        environment.delay(resize, by: .seconds(60))
        try await resize.send("a", to: environment.broker)
        try await environment.run(for: .seconds(30))
        #expect(environment.succeeded == [])
        #expect(try await environment.broker.operations.unfinishedCount() == 1)
        try await environment.run()
        #expect(environment.succeeded == ["resize"])
    }

    @Test(arguments: [(1, 180), (2, 120), (3, 60)])
    func tasksSleepSideBySide(concurrency: Int, seconds: Int) async throws {
        let environment = try await TestEnvironment(resize, concurrency: concurrency)
        environment.delay(resize, by: .seconds(60), times: 3)
        for name in ["a", "b", "c"] { try await resize.send(name, to: environment.broker) }
        try await environment.run()
        #expect(environment.succeeded.count == 3)
        #expect(environment.clock.now.sinceStart == .seconds(seconds))
    }

    @Test func actorsSleepByTheClock() async throws {
        let clockOfActors = Recorded<TestClock?>(nil)
        let poll = TaskActor("poll") {
            guard let clock = clockOfActors.value else { return }
            for _ in 0..<24 { try await clock.sleep(for: .seconds(20)) }
        }
        let environment = try await TestEnvironment(poll)
        clockOfActors.value = environment.clock
        try await poll.send(to: environment.broker)
        try await environment.run()
        #expect(environment.succeeded == ["poll"])
        #expect(environment.clock.now.sinceStart == .seconds(480))
    }

    @Test func otherProgramsMessagesAreLeftAlone() async throws {
        let environment = try await TestEnvironment(resize)
        let python = Message(queueName: "python", actorName: "publish", args: ["summer"])
        try await Workflow(Chain(resize.message("a"), python), broker: environment.broker).run()
        try await environment.broker.enqueue(python, delay: .seconds(60))
        try await environment.run()
        #expect(environment.succeeded == ["resize"])
        #expect(environment.enqueued.map(\.message.actorName) == ["resize", "publish", "publish"])
        #expect(environment.transport.status(queue: "python").waiting == 1)
    }

    @Test func whatDoesNotEndIsSaid() async throws {
        let stuck = TaskActor("stuck") { try await Task.sleep(for: .seconds(600)) }
        let environment = try await TestEnvironment(stuck)
        try await stuck.send(to: environment.broker)
        let error = await #expect(throws: TestEnvironmentError.self) {
            try await environment.run(patience: .milliseconds(300))
        }
        #expect(error?.code == .unfinished)
        #expect(error?.description == "1 messages are not finished; these run: stuck")
    }
}

private final class Recorded<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) {
        state = Mutex(value)
    }

    var value: Value {
        get { state.withLock(\.self) }
        set { state.withLock { $0 = newValue } }
    }
}
