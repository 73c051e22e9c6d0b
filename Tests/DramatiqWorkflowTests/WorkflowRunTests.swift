import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

@Suite(.timeLimit(.minutes(10))) struct WorkflowRunTests {
    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func theExampleRunsInItsOrder(fidelity: InMemoryTransport.Fidelity) async throws {
        let stage = try await Stage(fidelity: fidelity)
        let m = stage.task.message
        try await stage.run(
            Chain(m("1"), Group(Chain(m("2"), m("5")), m("3"), Chain(m("4"), Group(m("6"), m("7")))), m("8")))
        let ran = stage.ran.values
        #expect(ran.sorted() == (1...8).map(String.init))
        #expect(ran.first == "1")
        #expect(ran.last == "8")
        func place(_ name: String) -> Int { ran.firstIndex(of: name) ?? -1 }
        #expect(place("2") < place("5"))
        #expect(place("4") < place("6") && place("4") < place("7"))
    }

    @Test func withoutTheMiddlewareAnErrorSaysHowToAddIt() async throws {
        let broker = Broker(transport: InMemoryTransport())
        let error = try await #require(throws: WorkflowError.self) {
            try await Workflow(Message(queueName: "q", actorName: "a"), broker: broker).run()
        }
        #expect(error.code == .middlewareMissing)
        #expect(error.description.contains("Broker.defaultMiddleware + [WorkflowMiddleware(backend:"))
    }

    @Test func aSingleMessageCarriesNoCallbacksAndTheTimeOfItsStart() async throws {
        let stage = try await Stage(tracking: .disabled)
        var message = stage.task.messageWithOptions("a", options: ["max_retries": 3])
        message.messageTimestamp = MessageTimestamp(milliseconds: 5)
        let before = SystemClock.fractionalMilliseconds()
        try await Workflow(message, broker: stage.broker).run()
        let consumer = try await stage.transport.consumer(of: "default", prefetch: 1)
        let sent = try await consumer.next(limit: 1)[0].message(decoder: JSONMessageEncoder())
        #expect(sent.options == ["max_retries": 3])
        #expect(sent.messageID == message.messageID)
        #expect(sent.messageTimestamp.milliseconds >= before)
    }

    @Test func emptyPartsCompleteAtOnce() async throws {
        for fidelity in [InMemoryTransport.Fidelity.values, .bytes] {
            let stage = try await Stage(fidelity: fidelity)
            let m = stage.task.message
            try await stage.run(Chain())
            try await stage.run(Group())
            try await stage.run(Group(Chain(), Group(Group(), Chain())))
            #expect(stage.ran.values.isEmpty)
            try await stage.run(
                Chain(Chain(), Group(), m("1"), Group(Chain(), Group()), Chain(Chain(), m("2")), Group(m("3"), Chain()))
            )
            #expect(stage.ran.values == ["1", "2", "3"])
            try await stage.run(Chain(Group(Chain(m("4"), Chain()), Chain(m("5"), Group(), Chain())), m("6")))
            #expect(stage.ran.values.dropFirst(3).sorted() == ["4", "5", "6"])
            #expect(stage.ran.values.last == "6")
            #expect(stage.transport.deadLetters().isEmpty)
            #expect(stage.log.complaints.isEmpty)
        }
    }

    @Test func anEmptyPartWithADelayWaits() async throws {
        let stage = try await Stage()
        // By the clock that says when a message is due, which counts in milliseconds.
        let start = SystemClock.milliseconds()
        try await stage.run(
            Chain(
                WithDelay(Chain(), delay: .milliseconds(60)),
                stage.task.message("1"),
                WithDelay(Group(Group(), WithDelay(Chain(), delay: .milliseconds(50))), delay: .milliseconds(10)),
                stage.task.message("2")))
        #expect(SystemClock.milliseconds() - start >= 120)
        #expect(stage.ran.values == ["1", "2"])
    }

    @Test func aDelayAppliesToWhatStartsAtOnce() async throws {
        let stage = try await Stage()
        let m = stage.task.message
        let delayed = WithDelay(
            Group(m("a"), WithDelay(Chain(m("b"), m("c")), delay: .seconds(5)), Chain(m("d"), m("e"))),
            delay: .seconds(10))
        let before = SystemClock.milliseconds()
        try await Workflow(WithDelay(delayed, delay: .milliseconds(1)), broker: stage.broker).run()
        let after = SystemClock.milliseconds()
        let consumer = try await stage.transport.consumer(of: "default.DQ", prefetch: 10)
        let sent = try await consumer.next(limit: 10).map { try $0.message(decoder: JSONMessageEncoder()) }
        #expect(sent.map { $0.args } == [["a"], ["b"], ["d"]])
        let etas = sent.compactMap { $0.options["eta"]?.intValue }
        for (eta, delay) in zip(etas, [10_001, 15_001, 10_001]) {
            #expect((before + delay...after + delay).contains(eta))
        }
    }

    @Test func theSameMessageTwiceGetsAnIDOfItsOwn() async throws {
        let stage = try await Stage()
        let message = stage.task.message("x")
        try await stage.run(
            Chain(Group(message, message, Chain(message, message)), message, Group(message, message)))
        #expect(stage.ran.count == 7)
        #expect(stage.transport.deadLetters().isEmpty)
    }

    @Test func aRepeatedMessageFromAnotherProducerIsToldApartInItsGroup() async throws {
        let stage = try await Stage()
        // Python's producer doesn't tell them apart.
        let fields = stage.task.message("x").jsonValue
        var members = try #require(fields.objectValue).members
        members.insert(.init("__type__", "message"), at: 0)
        let node = JSONValue.object(JSONObject(members.map { ($0.key, $0.value) }))
        let rest: JSONValue = [
            "__type__": "chain", "children": [["__type__": "group", "children": [node, node, node]], node],
        ]
        let key = AtMostOnceBarrier(backend: stage.backend, key: "step", ttl: .seconds(100))
        try await key.create(parties: 1)
        let first = stage.task.messageWithOptions(
            "first", options: ["workflow_completion_callbacks": [["step", rest, false]]])
        try await stage.broker.enqueue(first)
        try await stage.work()
        #expect(stage.ran.values == ["first", "x", "x", "x", "x"])
    }

    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func largeWorkflowsRun(fidelity: InMemoryTransport.Fidelity) async throws {
        let stage = try await Stage(fidelity: fidelity)
        let m = stage.task.message
        let group = WorkflowNode.group((0..<10_000).map { .message(m("\($0)")) })
        try await stage.run(Chain(m("first"), group, m("last")))
        #expect(stage.ran.count == 10_002)
        #expect(stage.ran.values.first == "first")
        #expect(stage.ran.values.last == "last")
    }

    @Test func aTreeOfAHundredThousandMessagesStarts() async throws {
        let stage = try await Stage(fidelity: .values)
        let m = stage.task.message
        let chains = (0..<100).map { _ in
            WorkflowNode.chain((0..<1000).map { .message(m("\($0)")) })
        }
        try await Workflow(Group(children: chains), broker: stage.broker).run()
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 100)
    }

    @Test func nestingOfAThousandRuns() async throws {
        // As bytes each step writes and reads what is left of all levels.
        for (fidelity, levels) in [(InMemoryTransport.Fidelity.values, 1000), (.bytes, 300)] {
            let stage = try await Stage(fidelity: fidelity)
            let m = stage.task.message
            var node = WorkflowNode.message(m("inner"))
            for level in 0..<levels {
                node = level % 2 == 0 ? .group([node]) : .chain([node, .message(m("\(level)"))])
            }
            try await stage.run(Chain(m("outer"), node, m("end")))
            #expect(stage.ran.count == 3 + levels / 2)
            #expect(Array(stage.ran.values.prefix(3)) == ["outer", "inner", "1"])
            #expect(stage.ran.values.last == "end")
        }
    }

    @Test(arguments: [BarrierStyle.counting, .atMostOnce])
    func anyStyleOfBarriersWorks(style: BarrierStyle) async throws {
        let stage = try await Stage(barriers: style)
        let m = stage.task.message
        try await stage.run(Chain(m("1"), Group(m("2"), Group(m("3"), m("4"))), m("5")))
        #expect(stage.ran.count == 5)
        #expect(stage.ran.values.last == "5")
    }

    @Test func aBarrierThatOpensOnceCannotBeWaitedFor() async throws {
        let backend = InMemoryRateLimiterBackend()
        let barrier = AtMostOnceBarrier(backend: backend, key: "b", ttl: .seconds(10))
        #expect(try await barrier.create(parties: 2))
        await #expect(throws: RateLimitError.blockingNotSupported) { try await barrier.wait(block: true) }
        #expect(try await !barrier.wait())
        #expect(backend.value(forKey: "b_ran") == -1)
        #expect(try await barrier.wait())
        #expect(backend.value(forKey: "b_ran") == 0)
        #expect(backend.value(forKey: "b") == 1)
        #expect(try await !barrier.wait())
    }

    @Test func aWorkflowCanStartWorkflows() async throws {
        let stage = try await Stage()
        let broker = stage.broker
        let task = stage.task
        let fork = TaskActor("fork") { (name: String) in
            try await Workflow(Group(task.message(name + "a"), task.message(name + "b")), broker: broker).run()
        }
        try await broker.declare(fork)
        try await stage.run(Chain(fork.message("x"), task.message("after")))
        #expect(stage.ran.values.sorted() == ["after", "xa", "xb"])
    }
}
