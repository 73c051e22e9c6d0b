import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// Who counts at a barrier, and where what holds its place runs.
@Suite(.timeLimit(.minutes(10))) struct PartyTests {
    // MARK: Copies

    /// Ways to send a member's message once more.
    private static let copies: [(name: String, copy: @Sendable (Message) -> Message)] = [
        ("withFreshID", { $0.withFreshID() }),
        (
            "another id",
            {
                var copy = $0; copy.messageID = "another"; return copy
            }
        ),
        (
            "its options",
            { Message(queueName: $0.queueName, actorName: $0.actorName, args: $0.args, options: $0.options) }
        ),
        ("the same", { $0 }),
        ("copy", { $0.copy(options: ["x": 1]) }),
        ("piped", { $0.piped(into: $0.withFreshID()) }),
        ("behind another", { Message(queueName: "default", actorName: "task", args: ["0"]).piped(into: $0) }),
    ]

    @Test(arguments: copies.indices)
    func aCopyOfAMemberStartsNothing(index: Int) async throws {
        let copy = Self.copies[index].copy
        let stage = try await Stage(middleware: Broker.defaultMiddleware + [CurrentMessage()])
        let ran = stage.ran
        let (hasCopied, gate) = (Recorder<Bool>(), Recorder<Bool>())
        let broker = stage.broker
        let member = TaskActor("member") { (number: Int) in
            if number == 1, hasCopied.add(true) == 1, let message = CurrentMessage.message {
                try await broker.enqueue(copy(message))
            }
            // The last member ends when nobody else has anything left to do.
            if number == 3 { try await eventually { gate.count > 0 } }
            ran.add("\(number)")
        }
        try await stage.broker.declare(member)
        try await Workflow(
            Chain(Group(member.message(1), member.message(2), member.message(3)), stage.task.message("end")),
            broker: stage.broker
        ).run()
        try await withWorker(stage.worker) {
            try await eventually { stage.transport.unfinishedCount(queues: ["default"]) == 1 }
            #expect(!ran.values.contains("end"), "\(Self.copies[index].name)")
            gate.add(true)
            try await stage.transport.joinAll()
        }
        #expect(ran.values.filter { $0 == "end" }.count == 1)
        #expect(ran.values.contains("3"))
    }

    @Test func aMemberThatStartsItselfAsAWorkflowStartsNothingElse() async throws {
        let stage = try await Stage(middleware: Broker.defaultMiddleware + [CurrentMessage()])
        let ran = stage.ran
        let hasStarted = Recorder<Bool>()
        let broker = stage.broker
        let member = TaskActor("member") { (number: Int) in
            if hasStarted.add(true) == 1, let message = CurrentMessage.message {
                try await Workflow(Group(message, message), message, broker: broker).run()
                try await Workflow(message.withFreshID(), broker: broker).run()
            }
            ran.add("\(number)")
        }
        try await stage.broker.declare(member)
        try await stage.run(member.message(1), stage.task.message("end"))
        #expect(ran.values.filter { $0 == "1" }.count == 5)
        #expect(ran.values.filter { $0 == "end" }.count == 1)
        #expect(stage.transport.deadLetters().isEmpty)
    }

    @Test func aWorkflowCanRunTwice() async throws {
        let stage = try await Stage()
        let m = stage.task.message
        let workflow = Workflow(Chain(Group(m("a"), m("b"), Chain(m("c"), m("d"))), m("end")), broker: stage.broker)
        for _ in 0..<3 { try await workflow.run() }
        try await stage.work()
        for name in ["a", "b", "c", "d", "end"] { #expect(stage.ran.values.filter { $0 == name }.count == 3) }
        #expect(stage.backend.keyCount == 0)
    }

    // MARK: Empty parts with a delay

    private static func empty(_ part: any WorkflowComponent = Group()) -> WithDelay {
        WithDelay(part, delay: .milliseconds(1))
    }

    private static func message(_ name: String, _ queue: String = "images") -> Message {
        Message(queueName: queue, actorName: "task", args: [.string(name)])
    }

    private static let workflows: [(WorkflowNode, ran: Int)] = [
        (Chain(message("a"), empty(), message("b")).node, 2),
        (Chain(empty(Chain()), message("b")).node, 1),
        (Chain(message("a"), empty()).node, 1),
        (Chain(Group(message("a"), empty()), message("b")).node, 2),
        (Chain(Group(Chain(message("a"), empty()), Chain(empty(), message("c"))), Group(message("b"))).node, 3),
        (Chain(message("a"), Chain(empty(), empty(Chain(Group())), Group(Chain(), Group())), message("b")).node, 2),
        (Chain(message("a"), empty(), Chain(), empty(), Group(Chain(), WithDelay(message("b"), delay: .zero))).node, 2),
        (Group(message("a"), empty()).node, 1),
        (Chain(Group(empty(), empty()), Group(empty(), Chain(empty(), message("a")))).node, 1),
    ]

    @Test(arguments: workflows.indices, [InMemoryTransport.Fidelity.values, .bytes])
    func anEmptyPartWithADelayRunsWhereItsWorkflowDoes(index: Int, fidelity: InMemoryTransport.Fidelity) async throws {
        let stage = try await Stage(fidelity: fidelity)
        try await stage.broker.declare(queue: "images")
        let (workflow, count) = Self.workflows[index]
        try await Workflow(workflow, broker: stage.broker).run()
        try await withWorker(Worker(stage.broker, queues: ["images"])) { try await stage.transport.joinAll() }
        #expect(stage.ran.count == count)
        #expect(stage.backend.keyCount == 0)
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 0)
    }

    @Test func whatIsStoredElsewhereIsNotLoadedForIt() async throws {
        let stage = try await Stage(storage: Elsewhere())
        try await stage.broker.declare(queue: "images")
        try await Workflow(
            Chain(Chain(Self.message("a"), Group(Self.empty())), Self.message("b")), broker: stage.broker
        ).run()
        try await withWorker(Worker(stage.broker, queues: ["images"])) { try await stage.transport.joinAll() }
        #expect(stage.ran.values == ["a", "b"])
    }

    /// Keeps what remains behind references, in the references.
    private struct Elsewhere: CallbackStorage {
        func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
            try await InlineCallbackStorage().store(callbacks)
        }

        func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
            try await InlineCallbackStorage().retrieve(reference).map { callback in
                CompletionCallback(
                    completionID: callback.completionID,
                    remaining: callback.remaining.map { remaining in
                        RemainingWorkflow(reference: .null) { try await remaining.load() }
                    },
                    propagates: callback.propagates)
            }
        }
    }

    // MARK: Names

    @Test func aQueueThatWouldNeverBeServedIsFoundWhenTheWorkflowStarts() async throws {
        let stage = try await Stage()
        let bad = Self.message("b", "images.XQ")
        let m = stage.task.message
        let nodes: [any WorkflowComponent] = [
            bad, Chain(m("a"), bad), Chain(m("a"), Group(m("c"), WithDelay(Chain(m("d"), bad), delay: .seconds(1)))),
            Chain(m("a").piped(into: m("b")), bad),
        ]
        for node in nodes {
            await #expect(throws: BrokerError.invalidQueueName("images.XQ")) {
                try await Workflow(node, broker: stage.broker).run()
            }
        }
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 0)
        #expect(stage.backend.keyCount == 0)
    }

    @Test func theMiddlewareTwiceIsRefused() async throws {
        let workflows = WorkflowMiddleware(backend: InMemoryRateLimiterBackend())
        let broker = Broker(
            transport: InMemoryTransport(), middleware: Broker.defaultMiddleware + [workflows, workflows],
            logger: RecordingLog().logger)
        await #expect(throws: BrokerError.middlewareTwice(name: "WorkflowMiddleware")) {
            try await Workflow(Self.message("a"), broker: broker).run()
        }
    }
}
