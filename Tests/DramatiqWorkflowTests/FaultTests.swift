import Dramatiq
import DramatiqTestKit
import Synchronization
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// The five faults of Python's side, A to E, that this one must not have.
@Suite(.timeLimit(.minutes(10))) struct FaultTests {
    private let clock = TestClock()

    private func stage() async throws -> Stage {
        let clock = clock
        let stage = try await Stage(backend: InMemoryRateLimiterBackend(now: { clock.instant }))
        try await stage.broker.declare(queue: "slow")
        return stage
    }

    /// The completion ids that a message waits at, outermost first.
    /// Those of the steps and groups: without the run's.
    private func completionIDs(_ message: Message) throws -> [String] {
        let reference = try #require(message.options[WorkflowMiddleware.callbacksOption])
        return try CallbackFormat.read(reference).filter { !$0.isRun }.map(\.completionID)
    }

    /// Takes all messages out of the queue and gives them back.
    private func peek(_ stage: Stage) async throws -> [Message] {
        let consumer = try await stage.transport.consumer(of: "default", prefetch: 100)
        let deliveries = try await consumer.next(limit: 100)
        for delivery in deliveries.reversed() {
            try await stage.transport.end(delivery, .requeue)
        }
        return try deliveries.map { try $0.message(decoder: JSONMessageEncoder()) }
    }

    // MARK: A

    @Test func everyArrivalRenewsTheWholeLifeAndNotAQuarterOfAnHour() async throws {
        let stage = try await stage()
        // A day, after up to fourteen in a queue.
        let life = Duration.seconds(15 * 86_400)
        let m = stage.task.message
        let slow = Message(queueName: "slow", actorName: "task", args: ["b"])
        try await Workflow(Chain(Group(m("a"), slow), m("c")), broker: stage.broker).run()
        let ids = try completionIDs(try #require(try await peek(stage).first))
        #expect(ids.count == 2)
        for id in ids { #expect(stage.backend.ttl(forKey: id) == life) }
        clock.advance(by: .seconds(80_000))
        try await withWorker(Worker(stage.broker, queues: ["default"])) { try await stage.transport.join() }
        #expect(stage.backend.ttl(forKey: ids[1]) == life)
        #expect(stage.backend.ttl(forKey: ids[1] + "_ran") == life)
        clock.advance(by: .seconds(6_000))
        // The outer barrier is older than the arrival, and still there.
        #expect(stage.backend.value(forKey: ids[0]) == 1)
        try await stage.work()
        #expect(stage.ran.values == ["a", "b", "c"])
    }

    @Test func aBarrierThatIsGoneIsNeverTakenForComplete() async throws {
        let stage = try await stage()
        let m = stage.task.message
        let slow = Message(queueName: "slow", actorName: "task", args: ["b"])
        try await Workflow(Chain(Group(m("a"), slow), m("c")), broker: stage.broker).run()
        let ids = try completionIDs(try #require(try await peek(stage).first))
        stage.backend.remove(ids[1])
        try await withWorker(
            Worker(stage.broker, queues: ["default"], transitionRetries: stage.worker.transitionRetries)
        ) {
            try await stage.transport.join()
        }
        #expect(stage.ran.values == ["a"])
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(letter.reason.contains("\(BarrierStateLost(key: ids[1]))"))
        #expect(try letter.message().args == ["a"])
    }

    @Test func aWorkflowThatShallProceedPastALostBarrierKeepsTheMessage() async throws {
        for (fails, reason) in [(false, "What follows from the message"), (true, "Broken(). What follows")] {
            let stage = try await Stage(onFailure: .proceed)
            try await stage.broker.declare(queue: "slow")
            let failing = try await failing(stage)
            let first = fails ? failing.message("a") : stage.task.message("a")
            let slow = Message(queueName: "slow", actorName: "task", args: ["b"])
            try await Workflow(Chain(Group(first, slow), stage.task.message("c")), broker: stage.broker).run()
            let ids = try completionIDs(try #require(try await peek(stage).first))
            stage.backend.remove(ids[1])
            try await stage.work()
            #expect(stage.ran.values.sorted() == ["a", "b"])
            let letters = stage.transport.deadLetters() + stage.transport.deadLetters(queue: "slow")
            #expect(letters.count == 2)
            #expect(letters.first?.reason.hasPrefix(reason) == true)
            #expect(letters.allSatisfy { $0.reason.contains("\(BarrierStateLost(key: ids[1]))") })
        }
    }

    // MARK: B

    // MARK: C

    @Test(arguments: [true, false])
    func aWorkerThatDiesWhileItGoesOnLosesNothing(afterOpening: Bool) async throws {
        let backend = InMemoryRateLimiterBackend()
        let faulty = Mutex<InterceptedTransport?>(nil)
        let stage = try await Stage(backend: backend) { base in
            let transport = InterceptedTransport(base)
            faulty.withLock { $0 = transport }
            return transport
        }
        let transport = try #require(faulty.withLock { $0 })
        let m = stage.task.message
        try await Workflow(Chain(Group(m("a"), m("b")), m("c"), m("d")), broker: stage.broker).run()
        let died = Recorder<Int>()
        transport.set(
            InterceptedTransport.Faults(
                before: { commit in
                    // The step that would release something is never reached, or the one before it.
                    guard !commit.successors.isEmpty, !afterOpening else { return }
                    died.add(1)
                    throw Outage()
                },
                after: { _, result in
                    guard result.status == .opened, afterOpening else { return }
                    died.add(1)
                    throw Outage()
                }))
        try await withWorker(stage.worker) { try await eventually { died.count > 2 } }
        #expect(stage.ran.values.sorted() == ["a", "b"])
        transport.set(InterceptedTransport.Faults())
        try await stage.work()
        // Whoever held the step ran again, and what came next ran once.
        #expect(Set(stage.ran.values) == ["a", "b", "c", "d"])
        #expect(stage.ran.values.suffix(2) == ["c", "d"])
        #expect(stage.ran.values.filter { $0 == "c" || $0 == "d" }.count == 2)
        #expect(stage.transport.deadLetters().isEmpty)
    }

    @Test func aRepeatedStepHasTheSameIDs() async throws {
        func successors() async throws -> [String] {
            let stage = try await stage()
            let rest: JSONValue = [
                "__type__": "chain",
                "children": [
                    ["__type__": "group", "children": [node("x"), node("y")]], node("z"),
                ],
            ]
            try await AtMostOnceBarrier(backend: stage.backend, key: "step", ttl: .seconds(9)).create(parties: 1)
            let options: MessageOptions = ["workflow_completion_callbacks": [["step", rest, false]]]
            try await stage.broker.enqueue(stage.task.messageWithOptions("a", options: options))
            try await withWorker(Worker(stage.broker, queues: ["default"])) { try await stage.transport.join() }
            let consumer = try await stage.transport.consumer(of: "parked", prefetch: 9)
            return try await consumer.next(limit: 9).flatMap {
                let message = try $0.message(decoder: JSONMessageEncoder())
                return [message.messageID] + (try completionIDs(message))
            }
        }
        func node(_ id: String) -> JSONValue {
            [
                "__type__": "message", "queue_name": "parked", "actor_name": "task", "args": [], "kwargs": [:],
                "options": [:], "message_id": .string(id), "message_timestamp": 1,
            ]
        }
        let once = try await successors()
        let again = try await successors()
        #expect(once.count == 6)
        #expect(once == again)
    }

    // MARK: D

    /// Fails as often as it is told.
    private final class FailingStorage: CallbackStorage {
        let failures: Mutex<(store: Int, retrieve: Int)>
        let error: any Error & Sendable

        init(store: Int = 0, retrieve: Int = 0, error: any Error & Sendable = Broken()) {
            failures = Mutex((store, retrieve))
            self.error = error
        }

        func fail(store: Int, retrieve: Int) { failures.withLock { $0 = (store, retrieve) } }

        func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
            let fails = failures.withLock { failures in
                failures.store -= 1
                return failures.store >= 0
            }
            if fails { throw error }
            return try await InlineCallbackStorage().store(callbacks)
        }

        func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
            let fails = failures.withLock { failures in
                failures.retrieve -= 1
                return failures.retrieve >= 0
            }
            if fails { throw error }
            return try await InlineCallbackStorage().retrieve(reference)
        }
    }

    @Test func aStorageThatFailsForGoodKeepsTheMessageWithTheReason() async throws {
        for isStore in [true, false] {
            let storage = FailingStorage()
            let stage = try await Stage(storage: storage)
            let m = stage.task.message
            try await Workflow(Chain(m("a"), Group(m("b"), m("c")), m("d")), broker: stage.broker).run()
            storage.fail(store: isStore ? 1000 : 0, retrieve: isStore ? 0 : 1000)
            try await stage.work()
            #expect(stage.ran.values == ["a"])
            let letter = try #require(stage.transport.deadLetters().first)
            #expect(letter.reason == "WorkflowMiddleware.beforeAck: Broken()")
            // Once the storage is back, the message can be requeued and the workflow goes on.
            storage.fail(store: 0, retrieve: 0)
            try stage.transport.requeueDeadLetter(letter.id)
            try await stage.work()
            #expect(stage.ran.values.sorted() == ["a", "a", "b", "c", "d"])
            #expect(stage.transport.deadLetters().isEmpty)
        }
    }

    @Test func aStorageThatFailsAtTheStartStartsNothing() async throws {
        let storage = FailingStorage(store: 1)
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        let workflow = Workflow(Chain(m("a"), m("b")), broker: stage.broker)
        await #expect(throws: Broken.self) { try await workflow.run() }
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 0)
        try await workflow.run()
        try await stage.work()
        #expect(stage.ran.values == ["a", "b"])
    }

    @Test func aReleaseWhoseWorkflowCannotBeLoadedKeepsTheLastMessage() async throws {
        final class Box: Sendable { let isThere = Mutex(false) }
        let box = Box()
        struct Storage: CallbackStorage {
            let box: Box
            func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
                let entries: [JSONValue] = callbacks.map {
                    let remaining = $0.remaining?.value ?? $0.remaining?.reference ?? .null
                    return [.string($0.completionID), remaining, .bool($0.propagates)]
                }
                return .array(JSONArray(entries))
            }
            func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
                try await InlineCallbackStorage().retrieve(reference).map { callback in
                    guard let workflow = callback.remaining?.value else { return callback }
                    return CompletionCallback(
                        completionID: callback.completionID,
                        remaining: RemainingWorkflow(reference: workflow) { [box] in
                            guard box.isThere.withLock(\.self) else { throw Broken() }
                            return workflow
                        },
                        propagates: callback.propagates)
                }
            }
        }
        let stage = try await Stage(storage: Storage(box: box))
        let m = stage.task.message
        try await Workflow(Chain(Group(m("a"), m("b"), m("c")), m("d")), broker: stage.broker).run()
        try await stage.work()
        // Only the one that opened the barrier had to load anything.
        #expect(stage.ran.values.sorted() == ["a", "b", "c"])
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(stage.transport.deadLetters().count == 1)
        #expect(letter.reason.contains("Broken()"))
        box.isThere.withLock { $0 = true }
        try stage.transport.requeueDeadLetter(letter.id)
        try await stage.work()
        #expect(stage.ran.count == 5)
        #expect(stage.ran.values.last == "d")
    }

    @Test func callbacksThatMeanNothingKeepTheMessage() async throws {
        let stage = try await stage()
        let hostile: [JSONValue] = [
            5, "x", [1], [["id"]], [["id", nil]], [[1, nil, true]], [["id", nil, 1]], ["id": 1],
            [["step", 5, false]], [["step", ["__type__": "chain"], false]], [["step", ["__type__": "loop"], false]],
            [["step", ["__type__": "chain", "children": [["__type__": "message"]]], false]],
            [["step", ["__type__": "with_delay", "delay": "x", "task": nil], false]],
            [["step", ["__type__": "with_delay", "delay": .double(.nan), "task": [:]], false]],
            [["nowhere", nil, true]],
        ]
        try await AtMostOnceBarrier(backend: stage.backend, key: "step", ttl: .seconds(9)).create(parties: 1)
        for callbacks in hostile {
            try await stage.broker.enqueue(
                stage.task.messageWithOptions("x", options: ["workflow_completion_callbacks": callbacks]))
        }
        try await stage.work()
        #expect(stage.ran.count == hostile.count)
        #expect(stage.transport.deadLetters().count == hostile.count)
        #expect(stage.transport.deadLetters().allSatisfy { !$0.reason.isEmpty })
        #expect(stage.backend.value(forKey: "step") == 1)
    }

    // MARK: E

    private func failing(_ stage: Stage) async throws -> TaskActor<String, Void> {
        let ran = stage.ran
        let actor = TaskActor("failing", options: [.maxRetries(0)]) { (name: String) in
            ran.add(name)
            throw Broken()
        }
        try await stage.broker.declare(actor)
        return actor
    }

    @Test func aTaskThatFailsForGoodHaltsItsWorkflowAloudUntilItIsRequeued() async throws {
        let stage = try await Stage()
        let works = Mutex(false)
        let ran = stage.ran
        let shaky = TaskActor("shaky", options: [.maxRetries(0)]) { (name: String) in
            guard works.withLock({ $0 }) else { throw Broken() }
            ran.add(name)
        }
        try await stage.broker.declare(shaky)
        let m = stage.task.message
        try await stage.run(Chain(Group(m("a"), shaky.message("b")), m("c")))
        #expect(stage.ran.values == ["a"])
        #expect(stage.log.complaints.contains { $0.message == "A task of a workflow failed" })
        let letter = try #require(stage.transport.deadLetters().first)
        works.withLock { $0 = true }
        try stage.transport.requeueDeadLetter(letter.id)
        try await stage.work()
        #expect(stage.ran.values == ["a", "b", "c"])
    }

    @Test func aWorkflowCanProceedWithoutATaskThatFailed() async throws {
        let stage = try await Stage(onFailure: .proceed)
        let failing = try await failing(stage)
        let m = stage.task.message
        try await stage.run(Chain(Group(failing.message("a"), m("b")), failing.message("c"), m("d")))
        #expect(stage.ran.values.suffix(2) == ["c", "d"])
        #expect(stage.transport.deadLetters().count == 2)
    }

    @Test func theChoiceCanBeMadePerMessageOrActor() async throws {
        let stage = try await Stage()
        let failing = try await failing(stage)
        let lenient = TaskActor("lenient", options: [.maxRetries(0), .workflowOnFailure(.proceed)]) { throw Broken() }
        let told = Recorder<(JSONValue, String)>()
        let tell = TaskActor("tell") { (message: JSONValue, reason: String) in _ = told.add((message, reason)) }
        try await stage.broker.declare(lenient, tell)
        let m = stage.task.message
        try await stage.run(
            Chain(
                lenient.message(),
                failing.messageWithOptions("a", options: ["workflow_on_failure": "proceed"]), m("b")))
        #expect(stage.ran.values == ["a", "b"])
        let notify: MessageOptions = ["workflow_on_failure": WorkflowFailurePolicy.notify("tell").jsonValue]
        try await stage.run(Chain(failing.messageWithOptions("c", options: notify), m("d")))
        #expect(stage.ran.values == ["a", "b", "c"])
        #expect(told.values.map(\.1) == ["Broken()"])
        #expect(told.values.first?.0.objectValue?["actor_name"] == "failing")
    }

    @Test func aTaskThatIsTooOldIsTerminalToo() async throws {
        for (policy, ran) in [(WorkflowFailurePolicy.halt, ["a"]), (.proceed, ["a", "c"])] {
            let stage = try await Stage(onFailure: policy)
            let recorder = stage.ran
            let stale = TaskActor("stale", options: [.maxAge(.milliseconds(1))]) { _ = recorder.add("b") }
            try await stage.broker.declare(stale)
            try await Workflow(
                Chain(Group(stage.task.message("a"), stale.message()), stage.task.message("c")), broker: stage.broker
            ).run()
            try await Task.sleep(for: .milliseconds(20))
            try await stage.work()
            #expect(stage.ran.values == ran)
            #expect(stage.transport.deadLetters().count == 1)
            #expect(stage.log.complaints.contains { $0.message == "A task of a workflow failed" })
        }
    }

    @Test func aTaskThatIsSkippedIsTerminalToo() async throws {
        struct SkipsB: BeforeProcessMessage {
            func beforeProcessMessage(_ context: inout MessageContext) async throws {
                if context.message.args == ["b"] { throw SkipMessage("not today") }
            }
        }
        for (policy, ran) in [(WorkflowFailurePolicy.halt, ["a"]), (.proceed, ["a", "c"])] {
            let stage = try await Stage(onFailure: policy, middleware: Broker.defaultMiddleware + [SkipsB()])
            let m = stage.task.message
            try await stage.run(Chain(Group(m("a"), m("b")), m("c")))
            #expect(stage.ran.values == ran)
            #expect(stage.transport.deadLetters().isEmpty)
            #expect(stage.log.complaints.contains { $0.metadata["reason"] == "The task was skipped" })
        }
    }

    @Test func aRetryIsNoFailure() async throws {
        let stage = try await Stage()
        let attempts = Recorder<Int>()
        let ran = stage.ran
        let shaky = TaskActor("shaky") {
            guard attempts.add(1) > 3 else { throw Retry(delay: .milliseconds(1)) }
            ran.add("shaky")
        }
        try await stage.broker.declare(shaky)
        let m = stage.task.message
        try await stage.run(Chain(Group(m("a"), shaky.message()), m("c")))
        #expect(stage.ran.values == ["a", "shaky", "c"])
        #expect(stage.log.complaints.isEmpty)
    }
}
