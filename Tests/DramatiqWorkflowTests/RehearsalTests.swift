import Dramatiq
import DramatiqWorkflow
import TestSupport
import Testing

@Suite struct RehearsalTests {
    /// A transcript's definition, and the actors of the messages that Python sent.
    private func transcript(_ name: String) throws -> (WorkflowNode, [String]) {
        let transcript = try #require(try Fixtures.json("workflows/wire/\(name)").objectValue)
        let events = try #require(transcript["events"]?.arrayValue).elements
        let sent = try events.compactMap { event in
            try event.objectValue?["message"]?.stringValue.map { text in
                try JSONMessageEncoder().decode([UInt8](text.utf8)).actorName
            }
        }
        return (try WorkflowNode(try #require(transcript["definition"])), sent)
    }

    @Test(arguments: try Fixtures.names(in: "workflows/wire"))
    func sendsWhatPythonSends(name: String) async throws {
        let (node, expected) = try transcript(name)
        var sent: [String] = []
        try await WorkflowRehearsal().run(node) { sent.append($0.actorName) }
        #expect(sent.sorted() == expected.sorted())
    }

    @Test func goesThroughTheStorage() async throws {
        let (node, _) = try transcript("readme.json")
        let storage = Counting()
        try await WorkflowRehearsal(callbackStorage: storage).run(node) { message in
            guard let reference = message.options["workflow_completion_callbacks"] else { return }
            #expect(reference.stringValue != nil)
        }
        #expect(storage.stored.count > 0)
    }

    @Test func stopsWithWhatVisitThrows() async throws {
        struct Enough: Error {}
        let (node, _) = try transcript("readme.json")
        var count = 0
        await #expect(throws: Enough.self) {
            try await WorkflowRehearsal().run(node) { _ in
                count += 1
                if count == 2 { throw Enough() }
            }
        }
        #expect(count == 2)
    }
}

/// Keeps callbacks under numbers.
private final class Counting: CallbackStorage {
    let stored = Recorder<[CompletionCallback]>()

    func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue { .string("\(stored.add(callbacks))") }

    func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        guard let number = reference.stringValue.flatMap({ Int($0) }) else { return [] }
        return stored.values[number - 1]
    }
}
