import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// A pipeline is one task of its workflow: done when its last message is, failed when one of them is.
@Suite(.timeLimit(.minutes(10))) struct PipelineWorkflowTests {
    private struct Failure: Error {}

    /// A stage with an actor that passes its name on, and one that fails as long as it is told.
    private struct Pipes {
        let stage: Stage
        let fails = Recorder<Bool>()

        init(
            fidelity: InMemoryTransport.Fidelity = .bytes, onFailure: WorkflowFailurePolicy = .halt,
            middleware: [any Middleware] = []
        ) async throws {
            stage = try await Stage(
                fidelity: fidelity, onFailure: onFailure, middleware: Broker.defaultMiddleware + middleware)
            let (ran, fails) = (stage.ran, fails)
            let step = TaskActor("step", options: [.minBackoff(.milliseconds(1))]) { (name: String, result: String?) in
                if name.hasSuffix("!"), fails.count < 2 {
                    fails.add(true)
                    throw Failure()
                }
                ran.add(result.map { "\(name)<\($0)" } ?? name)
                return name
            }
            try await stage.broker.declare(step)
        }

        func callAsFunction(_ name: String, _ options: MessageOptions = [:]) -> Message {
            Message(queueName: "default", actorName: "step", args: [.string(name)], options: options)
        }
    }

    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func whatFollowsAPipelineWaitsForItsLastMessage(fidelity: InMemoryTransport.Fidelity) async throws {
        let s = try await Pipes(fidelity: fidelity)
        try await s.stage.run(Chain(s("a").piped(into: s("b")), s("c")))
        #expect(s.stage.ran.values == ["a", "b<a", "c"])
        try await s.stage.run(
            s("1"), s("2").piped(into: s("3")).piped(into: s("4"), ignoringResult: true),
            Chain(s("5").piped(into: s("6"))), s("7"))
        #expect(s.stage.ran.values.dropFirst(3) == ["1", "2", "3<2", "4", "5", "6<5", "7"])
        #expect(s.stage.log.complaints.isEmpty)
    }

    @Test func groupsAndDelaysWaitForPipelines() async throws {
        let s = try await Pipes()
        let slow = TaskActor("slow") { [ran = s.stage.ran] (_: String) in
            try await Task.sleep(for: .milliseconds(100))
            ran.add("slow")
        }
        try await s.stage.broker.declare(slow)
        let last = Message(queueName: "default", actorName: "slow", args: [])
        // The same message behind several others arrives once for each.
        try await s.stage.run(
            Group(
                s("a").piped(into: last), s("b").piped(into: last), Chain(s("c").piped(into: last), s("d")),
                WithDelay(s("e").piped(into: last), delay: .milliseconds(20))),
            s("end"))
        #expect(s.stage.ran.count == 10)
        #expect(s.stage.ran.values.filter { $0 == "slow" }.count == 4)
        #expect(s.stage.ran.values.last == "end")
    }

    @Test func aMessageOfAPipelineIsRetriedInItsPlace() async throws {
        let s = try await Pipes()
        try await s.stage.run(s("a!").piped(into: s("b")), s("c"))
        #expect(s.stage.ran.values == ["a!", "b<a!", "c"])
        let again = try await Pipes()
        try await again.stage.run(s("a").piped(into: s("b!")).piped(into: s("c")), s("d"))
        #expect(again.stage.ran.values == ["a", "b!<a", "c<b!", "d"])
    }

    @Test(arguments: [0, 1, 2])
    func aPipelineThatFailsHaltsItsWorkflow(place: Int) async throws {
        let s = try await Pipes()
        let names = ["a", "b", "c"].enumerated().map { $0 == place ? $1 + "!" : $1 }
        let links = names.map { s($0, ["max_retries": 0]) }
        try await s.stage.run(links[0].piped(into: links[1]).piped(into: links[2]), s("end"))
        #expect(s.stage.ran.count == place)
        #expect(s.stage.log.complaints.contains { $0.message == "A task of a workflow failed" })
        // Requeued, it goes on, again and again.
        for _ in 0..<2 {
            let letter = try #require(s.stage.transport.deadLetters().first)
            try s.stage.transport.requeueDeadLetter(letter.id)
            try await s.stage.work()
        }
        #expect(s.stage.ran.count == 4)
        #expect(s.stage.ran.values.last == "end")
        #expect(s.stage.transport.deadLetters().isEmpty)
    }

    @Test(arguments: [0, 1, 2])
    func aPolicyHoldsForEveryMessageOfAPipeline(place: Int) async throws {
        let s = try await Pipes(onFailure: .proceed)
        let names = ["a", "b", "c"].enumerated().map { $0 == place ? $1 + "!" : $1 }
        let links = names.map { s($0, ["max_retries": 0]) }
        try await s.stage.run(links[0].piped(into: links[1]).piped(into: links[2]), s("end"))
        #expect(s.stage.ran.count == place + 1)
        #expect(s.stage.ran.values.last == "end")
        // What comes late changes nothing.
        for _ in 0..<2 {
            let letter = try #require(s.stage.transport.deadLetters().first)
            try s.stage.transport.requeueDeadLetter(letter.id)
            try await s.stage.work()
        }
        #expect(s.stage.ran.values.filter { $0 == "end" }.count == 1)
        #expect(s.stage.ran.count == 4)
    }

    @Test func aPipelineThatIsSkippedIsTerminal() async throws {
        struct SkipsA: BeforeProcessMessage {
            func beforeProcessMessage(_ context: inout MessageContext) async throws {
                if context.message.args == ["a"] { throw SkipMessage("not today") }
            }
        }
        for (policy, ran) in [(WorkflowFailurePolicy.halt, []), (.proceed, ["c"])] as [(_, [String])] {
            let s = try await Pipes(onFailure: policy, middleware: [SkipsA()])
            try await s.stage.run(s("a").piped(into: s("b")), s("c"))
            #expect(s.stage.ran.values == ran)
            #expect(s.stage.log.complaints.contains { $0.metadata["reason"] == "The task was skipped" })
        }
    }

    @Test func aTargetThatIsNoMessageFailsItsOwnMessage() async throws {
        let s = try await Pipes()
        let broken = s("b", ["pipe_target": 5])
        try await s.stage.run(s("a"), s("first").piped(into: broken), s("c"))
        #expect(s.stage.ran.values == ["a", "first"])
        let letter = try #require(s.stage.transport.deadLetters().first)
        #expect(s.stage.transport.deadLetters().count == 1)
        #expect(letter.reason.contains("pipe_target must be a message"))
        #expect(try letter.message().args == ["b", "first"])
    }

    @Test func aRehearsalShowsEveryMessageOfAPipeline() async throws {
        let task = TaskActor("task") { (_: String) in }
        let workflow = Chain(task.message("a").piped(into: task.message("b"), ignoringResult: true), task.message("c"))
        let seen = Recorder<JSONArray>()
        try await WorkflowRehearsal().run(workflow.node) { seen.add($0.args) }
        #expect(seen.values == [["a"], ["b"], ["c"]])
    }
}
