import TestSupport
import Testing

@testable import Dramatiq

/// What becomes of messages with options that are out of the ordinary, from their queue to their end.
@Suite(.timeLimit(.minutes(10))) struct OptionTests {
    private struct Failure: Error {}

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()
    private let ran = Recorder<String>()

    private func broker(_ middleware: [any Middleware] = Broker.defaultMiddleware) -> Broker {
        Broker(transport: transport, middleware: middleware, logger: log.logger)
    }

    private func task(_ options: [ActorOption] = []) -> TaskActor<String, Void> {
        TaskActor("task", options: options) { name in
            ran.add(name)
            if name.hasPrefix("fail") { throw Failure() }
        }
    }

    private func run(_ broker: Broker, _ messages: Message...) async throws {
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(messages)
            try await transport.joinAll()
        }
    }

    /// The reasons of the dead letters, which name the message.
    private func reason(of message: Message) throws -> String {
        let letters = try transport.deadLetters().filter { try $0.message().messageID == message.messageID }
        #expect(letters.count == 1)
        return letters.first?.reason ?? ""
    }

    @Test func whatCannotBeReadBeforeTheActorRunsKeepsItFromRunning() async throws {
        let broker = broker()
        let task = task()
        try await broker.declare(task)
        for (option, value) in [("time_limit", "soon"), ("time_limit", [1]), ("max_age", ["a": 1]), ("pipe_target", 5)]
            as [(String, JSONValue)]
        {
            let message = task.messageWithOptions("a", options: MessageOptions(JSONObject([(option, value)])))
            try await run(broker, message)
            let reason = try reason(of: message)
            #expect(reason.hasPrefix("The option \(option) of message \(message.messageID) is \(value): "))
            #expect(reason.contains("must be a"))
        }
        #expect(ran.values.isEmpty)
    }

    @Test func whatCannotBeReadAfterwardsIsInTheReasonWithTheError() async throws {
        let broker = broker()
        let task = task()
        try await broker.declare(task)
        let message = task.messageWithOptions("fails", options: ["max_retries": "many"])
        try await run(broker, message, task.messageWithOptions("works", options: ["max_retries": "many"]))
        #expect(ran.values.sorted() == ["fails", "works"])
        #expect(
            try reason(of: message)
                == "Failure(). The option max_retries of message \(message.messageID) is \"many\": it must be a number")
        #expect(transport.deadLetters().count == 1)
    }

    @Test func anActorsOptionThatCannotBeReadIsNamed() async throws {
        let broker = broker()
        let task = task([.custom("time_limit", "soon")])
        try await broker.declare(task)
        let message = task.message("a")
        try await run(broker, message)
        #expect(
            try reason(of: message)
                == "The option time_limit of actor 'task', for message \(message.messageID), is \"soon\": "
                + "it must be a number")
        #expect(ran.values.isEmpty)
    }

    /// Programs' own middleware get the same, whatever their policy.
    @Test func anOptionErrorOfAnyMiddlewareIsTheMessagesFault() async throws {
        struct Reads: BeforeProcessMessage {
            var actorOptions: Set<String> { ["width"] }
            func beforeProcessMessage(_ context: inout MessageContext) async throws {
                _ = try context.optionIfPresent("width")?.number()
            }
        }
        let broker = broker(Broker.defaultMiddleware + [Reads()])
        let task = task()
        try await broker.declare(task)
        let message = task.messageWithOptions("a", options: ["width": "wide"])
        try await run(broker, message, task.messageWithOptions("b", options: ["width": 1.5]))
        #expect(ran.values == ["b"])
        #expect(try reason(of: message).contains("width"))
    }

    @Test func limitsWithAFractionAndWithoutEndAreLimits() async throws {
        let broker = broker([TimeLimit(timeLimit: .milliseconds(1)), Retries(maxRetries: 0)])
        // Those that shall be cancelled take no end; the others long enough for their limits to be looked at.
        let endless: Set = ["0.5", "0"]
        let task = TaskActor("task") { (name: String) in
            let duration = endless.contains(name) ? Duration.seconds(3600) : .milliseconds(400)
            do { try await Task.sleep(for: duration) } catch { ran.add("\(name) cancelled") }
        }
        try await broker.declare(task)
        for limit in [.double(.infinity), 600_000.5, 600_000, 0.5, 0] as [JSONValue] {
            try await run(broker, task.messageWithOptions("\(limit)", options: ["time_limit": limit]))
        }
        #expect(ran.values == ["0.5 cancelled", "0 cancelled"])
    }

    @Test func zeroInAMessageMeansAsTheActorSays() async throws {
        let broker = broker()
        let actor = task([.timeLimit(.seconds(600)), .maxAge(.seconds(60))])
        try await broker.declare(actor)
        var old = actor.messageWithOptions("old", options: ["max_age": 0])
        old.messageTimestamp = MessageTimestamp(milliseconds: SystemClock.milliseconds() - 61_000)
        try await run(broker, old, actor.messageWithOptions("young", options: ["max_age": 0, "time_limit": 0]))
        #expect(ran.values == ["young"])
        #expect(try reason(of: old).hasSuffix("its limit is 60000 ms"))
    }

    // MARK: Delays

    private func delayed(_ eta: JSONValue) -> Message {
        var message = task().messageWithOptions("\(eta)", options: ["eta": eta])
        message.queueName = "default.DQ"
        return message
    }

    @Test func aTimeWithAFractionIsWaitedFor() async throws {
        let broker = broker()
        let due = Recorder<Int>()
        try await broker.declare(TaskActor("task") { (_: String) in _ = due.add(SystemClock.milliseconds()) })
        let eta = SystemClock.fractionalMilliseconds().rounded(.down) + 150.5
        try await run(broker, delayed(.double(eta)), delayed(1), delayed(true), delayed(.double(-.infinity)))
        #expect(due.count == 4)
        #expect(try #require(due.values.max()) >= Int(eta.rounded(.up)))
    }

    @Test func aTimeThatNeverComesIsWaitedForToo() async throws {
        let broker = broker()
        try await broker.declare(task())
        let digits = "1" + String(repeating: "0", count: 400)
        let never: [JSONValue] = [.double(.infinity), .double(1e300), .number(try JSONNumber(digits))]
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(never.map(delayed))
            try await broker.enqueue(delayed(1))
            try await eventually { ran.count > 0 }
        }
        #expect(ran.values == ["1"])
        #expect(transport.unfinishedCount(queues: ["default"]) == 3)
        #expect(transport.deadLetters().isEmpty)
    }

    /// As Python does, which warns.
    @Test func aTimeThatCannotBeReadIsOver() async throws {
        let broker = broker()
        try await broker.declare(task())
        for (index, eta) in (["tomorrow", [1], [:], ""] as [JSONValue]).enumerated() {
            let message = delayed(eta)
            try await run(broker, message)
            #expect(ran.values.last == "\(eta)")
            #expect(log.complaints.count == index + 1)
            let reason = try #require(log.complaints.last?.metadata["reason"])
            #expect(reason.hasPrefix("The option eta of message \(message.messageID) is \(eta): "))
        }
        #expect(transport.deadLetters().isEmpty)
    }

    // MARK: Retries

    /// dramatiq's own test expects the same figures.
    @Test func callbacksSeeTheMessageAsRetriesLeaveIt() async throws {
        let quick = Retries(maxRetries: 3, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(2))
        let broker = broker(try Broker.defaultMiddleware.replacing(Retries.self, with: quick))
        let told = Recorder<(String, MessageOptions)>()
        func target(_ name: String) -> TaskActor<JSONValue, JSONValue, Void> {
            TaskActor(name) { message, _ in
                let options = try #require(message.objectValue?["options"]?.objectValue)
                told.add((name, MessageOptions(options)))
            }
        }
        let task = task([.onFailure("failed"), .onRetryExhausted("exhausted")])
        try await broker.declare(task, target("failed"), target("exhausted"))
        let before = SystemClock.milliseconds()
        try await run(broker, task.message("fails"))
        let failed = told.values.filter { $0.0 == "failed" }.map(\.1)
        #expect(failed.compactMap { $0["retries"]?.intValue }.sorted() == [1, 2, 3, 4])
        #expect(failed.allSatisfy { $0["traceback"] == "Failure: Failure()" })
        #expect(failed.allSatisfy { ($0["requeue_timestamp"]?.intValue ?? 0) >= before })
        let exhausted = told.values.filter { $0.0 == "exhausted" }.map(\.1)
        #expect(exhausted.map { $0["retries"] } == [4])
        // The message itself is kept as it was.
        #expect(try transport.deadLetters().first?.message().options["retries"] == 3)
    }

    /// What comes before ``Retries`` in the list sees what it has added, and nothing that comes after it.
    @Test func amendmentsFollowTheOrderOfTheList() async throws {
        struct Watch: AfterProcessMessage, AfterAck {
            let name: String
            let seen: Recorder<String>
            func afterProcessMessage(_ context: inout MessageContext) async throws {
                seen.add("\(name) \(context.message.options["retries"] ?? nil)")
            }
            func afterAck(_ context: MessageContext) {
                seen.add("\(name) acknowledged \(context.message.options["retries"] ?? nil)")
            }
        }
        let quick = Retries(maxRetries: 1, minBackoff: .milliseconds(1))
        let broker = broker([Watch(name: "before", seen: ran), quick, Watch(name: "after", seen: ran)])
        let task = TaskActor("task") { throw Failure() }
        try await broker.declare(task)
        try await run(broker, task.message())
        #expect(
            ran.values == [
                "after null", "before 1", "after acknowledged 1", "before acknowledged 1", "after 1", "before 2",
            ])
    }

    @Test func optionsThatARetryAddsAreRead() async throws {
        let quick = Retries(maxRetries: 9, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(2))
        let broker = broker([quick])
        let task = task()
        try await broker.declare(task)
        try await run(
            broker,
            task.messageWithOptions("fails 1", options: ["max_retries": 1.5]),
            task.messageWithOptions("fails 2", options: ["max_retries": true]),
            task.messageWithOptions("fails 3", options: ["max_retries": 0]),
            task.messageWithOptions("fails 4", options: ["max_retries": .double(-.infinity)]),
            task.messageWithOptions("fails 5", options: ["retries": 1.5, "max_retries": 3]))
        let counts = Dictionary(ran.values.map { ($0, 1) }, uniquingKeysWith: +)
        #expect(counts == ["fails 1": 3, "fails 2": 2, "fails 3": 1, "fails 4": 1, "fails 5": 3])
    }

    // MARK: Priorities

    @Test func aPriorityThatIsNoIntegerIsRefusedWhereItIsSent() async throws {
        let broker = broker()
        let task = task()
        await #expect(throws: OptionError.self) {
            try await broker.enqueue(task.messageWithOptions("a", options: ["broker_priority": 1.5]))
        }
        #expect(transport.unfinishedCount(queues: ["default"]) == 0)
    }
}
