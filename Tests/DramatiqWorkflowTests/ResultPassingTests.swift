import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// Definitions in which tasks take results, and what is made of them. What becomes of the results is in the promises.
@Suite(.timeLimit(.minutes(10))) struct ResultPassingTests {
    private let measure = TaskActor("measure", queue: "images") { (path: String) in path.utf8.count }
    private let sum = TaskActor("sum") { (sizes: [Int], album: String) in sizes.reduce(0, +) }
    private let tell = TaskActor("tell") { (total: Int, sizes: [Int], names: [String], album: String) in }
    private let transport = InMemoryTransport()
    private let barriers = InMemoryRateLimiterBackend()

    private func broker(_ middleware: [any Middleware] = [Results(backend: InMemoryResultBackend())]) -> Broker {
        Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + middleware + [
                WorkflowMiddleware(backend: barriers)
            ], logger: RecordingLog().logger)
    }

    private func prepared(_ components: any WorkflowComponent...) async throws -> Commit {
        try await Workflow(Chain(children: components.map(\.node)), broker: broker()).prepare()
    }

    private func error(_ components: any WorkflowComponent..., broker: Broker? = nil) async -> WorkflowError.Code? {
        let error = await #expect(throws: WorkflowError.self) {
            _ = try await Workflow(
                Chain(children: components.map(\.node)), broker: broker ?? self.broker()
            ).prepare()
        }
        return error?.code
    }

    private func deadLetter(_ broker: Broker) async throws -> DeadLetter? {
        try await broker.operations.deadLetters(queue: "default", offset: 0, limit: 1).first
    }

    /// The messages of a prepared workflow, those that come later included.
    private func messages(_ commit: Commit) throws -> [Message] {
        var messages: [Message] = []
        var left = commit.sends.map(\.message)
        while let message = left.popLast() {
            messages.append(message)
            let callbacks = message.options["workflow_completion_callbacks"]?.arrayValue?.elements ?? []
            for callback in callbacks {
                guard let rest = callback.arrayValue?.elements[1], !rest.isNull else { continue }
                left += try WorkflowNode(rest).walkMessages()
            }
        }
        return messages
    }

    @Test func theFirstArgumentsComeFromResults() {
        let one = Message(sum, taking: .previous, "summer")
        #expect(one.actorName == "sum" && one.args == ["summer"])
        #expect(one.options == ["workflow_taken_results": [nil]])
        let all = Message(tell, taking: .named("total"), .previous, .named("names"), "summer")
        #expect(all.args == ["summer"] && all.options == ["workflow_taken_results": ["total", nil, "names"]])
        let two = Message(tell, taking: .named("total"), .previous, ["a"], "summer")
        #expect(two.args == [["a"], "summer"] && two.options == ["workflow_taken_results": ["total", nil]])
        let plain = Message(queueName: "q", actorName: "a", args: [1])
        #expect(plain.taking(.previous).taking(.named("b")).options == ["workflow_taken_results": ["b"]])
        #expect(plain.taking(.previous).taking().options.isEmpty)
        #expect(WorkflowResult.named("\u{E9}") != .named("e\u{301}"))
    }

    @Test func aDefinitionKeepsNamesAndWhatIsTaken() throws {
        let root = Chain(
            measure.message("a").named("a"),
            Group(measure.message("b"), Chain(measure.message("c")).named("chain"))
                .named("group").named("again"),
            WithDelay(.seconds(1)) { measure.message("d") }.named("delay"),
            Message(sum, taking: .named("again"), "x")
        ).node
        let json = try root.jsonValue
        let read = try WorkflowNode(json)
        #expect(read == root)
        #expect(try read.jsonValue == json)
        #expect("\(read)".contains("named(\"again\")") && "\(read)".contains("named(\"delay\")"))
        guard case .chain(let children) = read.content else {
            Issue.record("It is a chain")
            return
        }
        #expect(children.map(\.resultName) == ["a", "again", "delay", nil])
        var changed = root
        changed.updateMessages { $0.options["max_age"] = 1 }
        changed.updateMessages { $0.options["max_age"] = nil }
        #expect(changed == root)
        #expect(root != Chain(children: Array(children.dropLast())).node)
        #expect(Group().named("a") != Group().node && Group().named("a") != Group().named("b"))
        #expect(throws: WorkflowError.self) { try WorkflowNode(["__type__": "group", "name": 1, "children": []]) }
    }

    @Test func messagesCarryWhereResultsAre() async throws {
        let paths = (0..<1000).map { "\($0).png" }
        let commit = try await prepared(
            Group(children: paths.map { .message(measure.message($0)) }).named("sizes"),
            Message(sum, taking: .previous, "summer").named("total"),
            Message(tell, taking: .named("total"), .named("sizes"), ["a"], "summer"))
        let sent = commit.sends.map(\.message)
        #expect(sent.count == 1000 && Set(sent.map(\.messageID)).count == 1000)
        for message in sent {
            #expect(message.options["store_results"] == true && message.options["workflow_result_name"] == nil)
            #expect((message.options["result_ttl"]?.intValue ?? 0) > 14 * 86_400_000)
        }
        let all = try messages(commit)
        let takers = ["sum", "tell"].map { name in all.first { $0.actorName == name }! }
        let taken = try takers.map { try TakenResults($0.options["workflow_taken_results"] ?? nil) }
        #expect(try taken[0].keys() == sent.map { ResultKey($0) })
        #expect(try taken[1].keys() == [ResultKey(takers[0])] + sent.map { ResultKey($0) })
        #expect(takers.allSatisfy { $0.options["workflow_taken_results"]!.encoded().count < 400 })
        #expect(takers[1].options["store_results"] == nil && takers[1].options["workflow_result_name"] == nil)
        #expect(takers[1].args == [["a"], "summer"])
    }

    @Test func groupsThatAreAlikeTakeNoMoreThanOne() async throws {
        let album = Chain(measure.message("a"), Group(measure.message("b"), measure.message("c")))
        var sizes: [Int] = []
        for count in [2, 2000] {
            let commit = try await prepared(
                Group(children: Array(repeating: album.node, count: count)),
                Message(tell, taking: .previous, [], [], "x"))
            let taker = try messages(commit).first { $0.actorName == "tell" }
            sizes.append(taker?.options["workflow_taken_results"]?.encoded().count ?? 0)
        }
        #expect(sizes[1] <= sizes[0] + 3 && sizes[0] > 0)
    }

    /// They are none of the business of workflows in which nobody takes anything.
    @Test func otherWorkflowsStayAsTheyAre() async throws {
        let message = measure.message("a")
        let commit = try await prepared(message.named("a"), measure.message("b"))
        let sent = commit.sends[0].message
        #expect(sent.messageID == message.messageID)
        #expect(sent.options.object.members.map(\.key) == ["workflow_completion_callbacks"])
        #expect(!Chain(message, Group(message)).node.usesResults)
        #expect(Chain(message, Group(message.named("a"))).node.usesResults)
        #expect(Group(Chain()).named("a").usesResults)
    }

    @Test func onlyEarlierStepsOnTheWayCanBeTaken() async {
        let m = measure.message
        func take(_ name: String) -> Message { Message(sum, taking: .named(name), "x") }
        let previous = Message(sum, taking: .previous, "x")
        #expect(await error(previous) == .resultUnknown)
        #expect(await error(Group(m("a"), previous), m("b")) == .resultUnknown)
        #expect(await error(m("a"), take("b")) == .resultUnknown)
        // Later, itself, around it, and beside it.
        #expect(await error(take("a"), m("a").named("a")) == .resultUnknown)
        #expect(await error(m("a"), take("a").named("a")) == .resultUnknown)
        #expect(await error(m("a"), Chain(m("b"), take("c")).named("c")) == .resultUnknown)
        #expect(await error(Group(m("a").named("a"), take("a"))) == .resultUnknown)
        #expect(await error(Group(Chain(m("a").named("a"), m("b")), Chain(m("c"), take("a")))) == .resultUnknown)
        #expect(await error(m("a").named("\u{E9}"), take("e\u{301}")) == .resultUnknown)
        #expect(await error(m("a").named("a"), m("b").named("a")) == .resultNameRepeated)
        #expect(await error(Group(m("a").named("a"), Group().named("a"))) == .resultNameRepeated)
        #expect(await error(Chain(m("a").named("a")).named("a")) == .resultNameRepeated)
        #expect(await error(m("a").piped(into: previous).named("a")) == .resultUnknown)
        var wrong = m("b")
        for value in [1, ["a": 1], [1], [["a"]]] as [JSONValue] {
            wrong.options["workflow_taken_results"] = value
            #expect(await error(m("a"), wrong) == .invalidResults)
        }
    }

    @Test func whatIsOnTheWayCanBeTaken() async throws {
        let m = measure.message
        func take(_ name: String) -> Message { Message(sum, taking: .named(name), "x") }
        let previous = Message(sum, taking: .previous, "x")
        _ = try await prepared(m("a"), Group(previous, Chain(previous), WithDelay(.seconds(1)) { Group(previous) }))
        _ = try await prepared(m("a").named("a"), Group(Chain(take("a").named("b"), take("b")), take("a")))
        _ = try await prepared(
            Group(Chain(m("a").named("a"), take("a")), m("b").named("b")).named("c"), take("a"), take("b"), take("c"))
    }

    @Test func tooMuchIsRefused() async {
        let m = measure.message
        let taker = Message(sum, taking: .previous, "x")
        var deep = Group(m("a")).node
        for _ in 0..<64 { deep = Group(deep).node }
        #expect(await error(deep, taker) == .tooManyResults)
        // Deeper than the thread's stack allows.
        for _ in 0..<100_000 { deep = Group(deep).node }
        #expect(await error(deep, taker) == .tooManyResults)
        let most = Group(children: Array(repeating: m("a").node, count: TakenResults.maxCount + 1))
        #expect(await error(most, taker) == .tooManyResults)
        // Those that differ from the one before are told one by one.
        let mixed = Group(children: (0..<3000).map { .message(Message(queueName: "q", actorName: "actor \($0)")) })
        #expect(await error(mixed, taker) == .tooManyResults)
    }

    @Test func theBrokerKeepsResults() async throws {
        let m = measure.message("a")
        #expect(await error(m, Message(sum, taking: .previous, "x"), broker: broker([])) == .resultsNotKept)
        // A name alone needs none.
        _ = try await Workflow(Chain(m.named("a"), m), broker: broker([])).prepare()
    }

    @Test func theWorkerReadsResults() async throws {
        let producer = broker()
        let consumer = broker([])
        try await consumer.declare(sum, measure)
        try await producer.declare(sum, measure)
        try await Workflow(Chain(measure.message("a"), Message(sum, taking: .previous, "x")), broker: producer).run()
        try await withWorker(Worker(consumer)) {
            try await eventually { try await deadLetter(consumer) != nil }
        }
        #expect(try await deadLetter(consumer)?.reason.contains("The broker has no Results") == true)
    }

    @Test func aRunsCallbacksTakeNothing() async {
        for message in [Message(sum, taking: .previous, "x"), measure.message("a").named("a")] {
            let error = await #expect(throws: WorkflowError.self) {
                _ = try await Workflow(measure.message("b"), onEnd: message, broker: broker()).prepare()
            }
            #expect(error?.code == .invalidRunCallbacks)
        }
    }

    @Test func whatIsSentOutsideOfAWorkflowIsADeadLetter() async throws {
        let broker = broker()
        try await broker.declare(sum, measure)
        try await broker.enqueue(Message(sum, taking: .previous, "x"))
        let worker = Worker(broker)
        try await withWorker(worker) {
            try await eventually { try await deadLetter(broker) != nil }
        }
        let reason = try await deadLetter(broker)?.reason
        #expect(reason?.contains("was not sent as a part of one") == true)
    }

    /// A result that the actor can't take is as any other argument that it can't.
    @Test func aResultOfAnotherTypeMakesADeadLetter() async throws {
        let broker = broker()
        try await broker.declare(sum, measure)
        try await Workflow(
            Chain(measure.message("a"), Message(sum, taking: .previous, "x")), broker: broker
        ).run()
        try await withWorker(Worker(broker)) {
            try await eventually { try await deadLetter(broker) != nil }
        }
        let reason = try await deadLetter(broker)?.reason
        #expect(reason?.contains("argument 1 is not a valid Array<Int>") == true)
    }

    @Test func resultsHaveALimitTogether() async throws {
        let broker = broker([Results(backend: InMemoryResultBackend(), maxSize: 1000)])
        let text = TaskActor("text") { (count: Int) in String(repeating: "x", count: count) }
        let count = TaskActor("count") { (texts: [String]) in }
        try await broker.declare(text, count)
        try await Workflow(
            Chain(Group(text.message(600), text.message(600)), Message(count, taking: .previous)), broker: broker
        ).run()
        try await withWorker(Worker(broker)) {
            try await eventually { try await deadLetter(broker) != nil }
        }
        let reason = try await deadLetter(broker)?.reason
        #expect(reason?.contains("more than 1000 bytes") == true)
    }
}
