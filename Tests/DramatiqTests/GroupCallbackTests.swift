import TestSupport
import Testing

@testable import Dramatiq

/// The groups of Python's dramatiq.
@Suite(.timeLimit(.minutes(10))) struct GroupCallbackTests {
    private struct Failure: Error {}

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()
    private let backend = InMemoryRateLimiterBackend()
    private let ran = Recorder<String>()

    private func broker() async throws -> (Broker, TaskActor<String, Void>) {
        let broker = Broker(
            transport: transport, middleware: Broker.defaultMiddleware + [GroupCallbacks(backend: backend)],
            logger: log.logger)
        let ran = ran
        let task = TaskActor("task", options: [.maxRetries(0)]) { (name: String) in
            if ran.add(name) == 1, name == "fragile" { throw Failure() }
        }
        try await broker.declare(task)
        return (broker, task)
    }

    private func work(_ broker: Broker) async throws {
        let worker = Worker(
            broker, concurrency: 4,
            transitionRetries: TransitionRetryPolicy(
                attempts: 2, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1)))
        try await withWorker(worker) { try await transport.joinAll(timeout: .patience) }
    }

    /// As `group.run()` does.
    private func makeBarrier(_ key: String, parties: Int) async throws {
        try await Barrier(backend: backend, key: key, ttl: .seconds(86_400)).create(parties: parties)
    }

    private func options(_ key: JSONValue, _ callbacks: [Message]) -> MessageOptions {
        [
            "group_completion_uuid": key,
            "group_completion_callbacks": .array(JSONArray(callbacks.map(\.jsonValue))),
        ]
    }

    @Test(arguments: [1, 2, 50]) func theLastMemberSendsTheCallbacks(count: Int) async throws {
        let (broker, task) = try await broker()
        try await makeBarrier("group", parties: count)
        let options = options("group", [task.message("end 1"), task.message("end 2")])
        let members = (0..<count).map { task.messageWithOptions("\($0)", options: options) }
        try await broker.enqueue(members)
        try await work(broker)
        #expect(Set(ran.values.prefix(count)) == Set((0..<count).map { "\($0)" }))
        #expect(ran.values.dropFirst(count).sorted() == ["end 1", "end 2"])
        #expect(log.complaints.isEmpty)
    }

    @Test func aMemberThatComesAgainCountsOnce() async throws {
        let (broker, task) = try await broker()
        try await makeBarrier("group", parties: 3)
        let options = options("group", [task.message("end")])
        let member = task.messageWithOptions("1", options: options)
        try await broker.enqueue([member, member, member, task.messageWithOptions("2", options: options)])
        try await work(broker)
        #expect(ran.values.sorted() == ["1", "1", "1", "2"])
        try await broker.enqueue(task.messageWithOptions("3", options: options))
        try await work(broker)
        #expect(ran.values.last == "end" && ran.count == 6)
    }

    @Test func aMemberThatFailsKeepsTheCallbacksUntilItIsMended() async throws {
        let (broker, task) = try await broker()
        try await makeBarrier("group", parties: 2)
        let options = options("group", [task.message("end")])
        try await broker.enqueue(task.messageWithOptions("fragile", options: options))
        try await work(broker)
        try await broker.enqueue(task.messageWithOptions("2", options: options))
        try await work(broker)
        #expect(ran.values == ["fragile", "2"])
        _ = try await broker.operations.requeueDeadLetters(queue: "default", encoder: broker.encoder)
        try await work(broker)
        #expect(ran.values == ["fragile", "2", "fragile", "end"])
    }

    /// Values that Python takes for false are no group; what can't be read is a dead letter, and nothing is lost.
    @Test func whatIsNoGroup() async throws {
        let (broker, task) = try await broker()
        let callbacks: JSONValue = [task.message("end").jsonValue]
        let harmless: [MessageOptions] = [
            ["group_completion_uuid": "", "group_completion_callbacks": callbacks],
            ["group_completion_uuid": nil, "group_completion_callbacks": callbacks],
            ["group_completion_uuid": "a", "group_completion_callbacks": []],
            ["group_completion_uuid": "a"], ["group_completion_callbacks": callbacks],
        ]
        try await broker.enqueue(harmless.map { task.messageWithOptions("harmless", options: $0) })
        try await work(broker)
        #expect(ran.values == harmless.map { _ in "harmless" })
        #expect(transport.deadLetters().isEmpty)
        let wrong: [MessageOptions] = [
            ["group_completion_uuid": 1, "group_completion_callbacks": callbacks],
            ["group_completion_uuid": "a", "group_completion_callbacks": "b"],
            ["group_completion_uuid": "a", "group_completion_callbacks": [1]],
            ["group_completion_uuid": "a", "group_completion_callbacks": [["actor_name": "a"]]],
            // There is no such barrier.
            ["group_completion_uuid": "a", "group_completion_callbacks": callbacks],
        ]
        try await broker.enqueue(wrong.map { task.messageWithOptions("wrong", options: $0) })
        try await work(broker)
        #expect(transport.deadLetters().count == wrong.count)
        #expect(!ran.values.contains("end"))
    }
}
