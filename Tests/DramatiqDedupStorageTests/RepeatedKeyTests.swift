import Dramatiq
import DramatiqDedupStorage
import DramatiqWorkflow
import TestSupport
import Testing

/// Workflows in which a node has a key twice, which Python takes the last one of: they are no contents, and run all the same.
@Suite(.timeLimit(.minutes(10))) struct RepeatedKeyTests {
    /// What other programs may send: callbacks in the messages, in which nodes have more keys.
    private struct Repeating: CallbackStorage {
        let text: String
        let replacement: String

        func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
            let inline = try await InlineCallbackStorage().store(callbacks).encoded()
            return try JSONValue(
                parsing: String(decoding: inline, as: UTF8.self).replacing(text, with: replacement))
        }

        func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
            try await InlineCallbackStorage().retrieve(reference)
        }
    }

    private static let repetitions = [
        (#"{"__type__":"chain","#, #"{"__type__":"group","__type__":"chain","#),
        (#"{"__type__":"message","#, #"{"__type__":"chain","__type__":"message","#),
        (#""children":["#, #""children":[{"__type__":"group","children":[]}],"children":["#),
    ]

    /// What is stored is loaded for each step: whatever can't be read would be a dead letter.
    @Test(arguments: repetitions, [0, nil])
    func theyRunToTheirEnd(repetition: (text: String, replacement: String), inlineLimit: Int?) async throws {
        let repeating = Repeating(text: repetition.text, replacement: repetition.replacement)
        let old = try await Stage(storage: repeating)
        let m = old.task.message
        // Large enough to be stored by any limit.
        let large = String(repeating: "e", count: 40 << 10)
        try await Workflow(broker: old.broker) {
            Chain {
                m("a")
                Chain(m("b"), Group(m("c"), m("c")), m("d"))
                m(large)
            }
        }.run()
        let storage = DedupCallbackStorage(
            InMemoryWorkflowStore(), inlineLimit: inlineLimit, cache: WorkflowCache(maxSize: 0))
        let new = try await old.swapping(to: storage)
        try await new.work()
        #expect(new.transport.deadLetters().map(\.reason) == [])
        #expect(new.ran.values.map { $0.prefix(1) } == ["a", "b", "c", "c", "d", "e"])
    }

    @Test(arguments: repetitions) func theyAreNoContents(repetition: (text: String, replacement: String)) throws {
        let text = #"[{"__type__":"chain","children":[{"__type__":"message","args":[[{"__type__":"x"}]]}]}]"#
        _ = try WorkflowContent(Array(text.utf8))
        #expect(throws: WorkflowError.self) {
            try WorkflowContent(Array(text.replacing(repetition.text, with: repetition.replacement).utf8))
        }
    }
}
