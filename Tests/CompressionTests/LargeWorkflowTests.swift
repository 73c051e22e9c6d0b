import Dramatiq
import DramatiqWorkflow
import TestSupport
import Testing

/// What hostile messages are kept from does not keep large workflows from their way.
@Suite struct LargeWorkflowTests {
    private func run(_ encoder: any MessageEncoder) async throws {
        let count = 100_000
        let stage = try await Stage(encoder: encoder)
        // In a queue that nobody serves here, so that they are only counted.
        let later = TaskActor("later", queue: "later") { (_: Int) in }
        try await stage.broker.declare(later)
        // The first message carries all the others.
        try await Workflow(
            Chain(stage.task.message("first"), Group(children: (0..<count).map { later.message($0).node })),
            broker: stage.broker
        ).run()
        let first = try #require(stage.transport.sample(limit: 1).first)
        guard case .bytes(let bytes) = first.payload else { throw NotBytes() }
        #expect(try encoder.decode(bytes).actorName == "task")
        let worker = Worker(stage.broker, concurrency: 2, queues: ["default"])
        try await withWorker(worker) { try await stage.transport.join(timeout: .patience) }
        #expect(stage.ran.values == ["first"])
        #expect(stage.transport.deadLetterCount() == 0)
        #expect(stage.transport.status(queue: "later").waiting == count)
    }

    private struct NotBytes: Error {}

    @Test(arguments: Format.allCases)
    func aHundredThousandTasksPassCompressed(format: Format) async throws {
        try await run(format.encoder())
    }

    @Test func aHundredThousandTasksPassAsTheyAre() async throws {
        try await run(JSONMessageEncoder())
    }
}
