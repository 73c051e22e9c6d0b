import TestSupport
import Testing

@testable import Dramatiq

/// Messages that ask for what no middleware of the worker's broker does.
@Suite(.timeLimit(.minutes(10))) struct UnservedOptionTests {
    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()
    private let ran = Recorder<String>()

    /// Runs messages of an actor with the options, and says which ran.
    private func run(_ options: [MessageOptions], _ middleware: [any Middleware]) async throws {
        let broker = Broker(transport: transport, middleware: middleware, logger: log.logger)
        let tasks = ["one", "two"].map { name in TaskActor(name) { _ = ran.add(name) } }
        try await broker.declare(tasks)
        try await withWorker(Worker(broker, concurrency: 1)) {
            for task in tasks {
                for options in options { try await broker.enqueue(task.messageWithOptions(options: options)) }
            }
            try await transport.joinAll()
        }
    }

    @Test func whatWouldLoseWorkIsRefused() async throws {
        let next = Message(queueName: "default", actorName: "one").jsonValue
        let options: [(String, JSONValue, String)] = [
            ("workflow_completion_callbacks", [["id", nil, true]], "WorkflowMiddleware"),
            ("workflow_completion_callbacks", ["stored": "elsewhere"], "WorkflowMiddleware"),
            ("pipe_target", next, "Pipelines"),
            ("on_success", "one", "Callbacks"),
            ("on_failure", "one", "Callbacks"),
            ("on_retry_exhausted", "one", "Retries"),
            ("group_completion_callbacks", [next], "GroupCallbacks"),
        ]
        try await run(options.map { MessageOptions(JSONObject([($0.0, $0.1)])) }, [])
        #expect(ran.values.isEmpty)
        let letters = transport.deadLetters()
        #expect(letters.count == 2 * options.count)
        for (letter, (option, _, middleware)) in zip(letters, options + options) {
            #expect(letter.reason.hasPrefix("The option \(option) of message \(try letter.message().messageID) is "))
            #expect(letter.reason.contains("without \(middleware) work would be lost"))
        }
        let errors = log.entries.filter { "\($0.level)" == "error" && $0.message == "Message failed" }
        #expect(errors.count == letters.count)
    }

    @Test func whatLosesNothingIsWarnedOfOnceForEachActorAndOption() async throws {
        let options: [MessageOptions] = [
            ["store_results": true], ["store_results": 1, "result_ttl": 1000], ["group_completion_uuid": "a"],
            ["max_age": 60_000], ["time_limit": 5], ["max_retries": 3, "custom": [1, 2]], ["store_results": true],
        ]
        try await run(options, [])
        #expect(ran.count == 2 * options.count)
        #expect(transport.deadLetters().isEmpty)
        let names = ["group_completion_uuid", "max_age", "max_retries", "result_ttl", "store_results", "time_limit"]
        for actor in ["one", "two"] {
            let warnings = log.complaints.filter { $0.metadata["actor_name"] == actor }
            #expect(warnings.compactMap { $0.metadata["option"] }.sorted() == names)
            #expect(warnings.allSatisfy { "\($0.level)" == "warning" && $0.metadata["middleware"] != nil })
        }
    }

    @Test func whatAsksForNothingIsNoConcern() async throws {
        let options = [
            "workflow_completion_callbacks", "pipe_target", "on_success", "on_failure", "on_retry_exhausted",
            "group_completion_callbacks", "store_results", "max_age",
        ]
        let nothing = options.map { MessageOptions(JSONObject([($0, .null)])) }
        let empty = options.filter { $0 != "pipe_target" }.map { MessageOptions(JSONObject([($0, [])])) }
        try await run(nothing + empty, [])
        try await run(nothing + empty, Broker.defaultMiddleware)
        #expect(ran.count == 4 * (nothing.count + empty.count))
        #expect(log.complaints.isEmpty)
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func whatIsServedIsNoConcern() async throws {
        struct Results: Middleware {
            var actorOptions: Set<String> { ["store_results", "result_ttl"] }
        }
        struct Groups: Middleware {
            var servedOptions: [ServedOption] {
                [ServedOption("group_completion_uuid"), ServedOption("group_completion_callbacks")]
            }
        }
        let options: MessageOptions = [
            "store_results": true, "max_age": 60_000, "group_completion_callbacks": [[:]], "group_completion_uuid": "a",
        ]
        try await run([options], Broker.defaultMiddleware + [Results(), Groups()])
        #expect(ran.count == 2)
        #expect(log.complaints.isEmpty)
    }
}
