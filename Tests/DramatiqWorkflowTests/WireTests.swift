import Foundation
import TestSupport
import Testing

@testable import Dramatiq
@testable import DramatiqWorkflow

/// Runs the workflows of `Fixtures/workflows/wire` and compares every message with the one that Python's packages sent.
@Suite struct WireTests {
    private static let directory = URL(filePath: #filePath)
        .appending(path: "../../../Fixtures/workflows/wire").standardized

    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        return files.filter { $0.hasSuffix(".json") }.sorted()
    }()

    /// Those in which Python sends the same message twice, and this library gives the second one an id of its own.
    private static let repeatsMessages: Set = ["group-of-same-message.json", "chain-of-same-message.json"]

    @Test func thereAreTranscripts() {
        #expect(Self.names.count >= 50)
        #expect(Self.repeatsMessages.isSubset(of: Self.names))
    }

    @Test(arguments: names)
    func everyMessageIsPythons(name: String) async throws {
        let data = try Data(contentsOf: Self.directory.appending(path: name))
        let transcript = try #require(try JSONValue(parsing: [UInt8](data)).objectValue)
        let node = try WorkflowNode(try #require(transcript["definition"]))
        if !Self.repeatsMessages.contains(name) {
            #expect(try node.jsonValue.encoded() == transcript["definition"]?.encoded(), "written as it was read")
        }

        let sender = RecordingTransport()
        let middleware = WorkflowMiddleware(backend: sender.backend, tracking: .disabled)
        let broker = Broker(transport: sender, middleware: [middleware])
        let task = TaskActor("any") {}
        try await Workflow(node, broker: broker).run()

        var expected = Comparison()
        var actual = Comparison()
        var pending: [Envelope] = []
        for event in try #require(transcript["events"]?.arrayValue).elements {
            let event = try #require(event.objectValue)
            switch event["event"]?.stringValue {
            case "enqueue":
                expected.add(
                    message: try JSONMessageEncoder().decode([UInt8]((event["message"]?.stringValue ?? "").utf8)),
                    delay: event["delay"]?.doubleValue, name: name)
            case "process":
                pending += sender.take()
                let id = event["message_id"]?.stringValue
                let index = pending.firstIndex { $0.message.messageID == id } ?? 0
                let envelope = try #require(index < pending.count ? pending.remove(at: index) : nil)
                actual.add(envelope, name)
                try await sender.process(envelope.message, task, broker, middleware)
            case "barrier":
                #expect(event["ttl"] == 86_400_000)
                expected.parties.append(event["parties"]?.intValue ?? -1)
            default:
                break
            }
        }
        for envelope in pending + sender.take() { actual.add(envelope, name) }
        #expect(actual.messages.sorted() == expected.messages.sorted())
        actual.parties = sender.parties
        // Python also makes barriers for parts that turn out to be empty.
        if !name.contains("empty") { #expect(actual.parties == expected.parties) }
        #expect(sender.backend.keyCount == 0, "everything was released")
    }

    /// Messages as text in which what differs from run to run has been replaced.
    private struct Comparison {
        var messages: [String] = []
        var parties: [Int] = []

        mutating func add(_ envelope: Envelope, _ name: String) {
            add(message: envelope.message, delay: envelope.delay.map { Double($0.milliseconds) }, name: name)
        }

        mutating func add(message: Message, delay: Double?, name: String) {
            var message = message
            if WireTests.repeatsMessages.contains(name) || message.actorName == "workflow_noop" {
                message.messageID = "(its own)"
            }
            #expect(message.messageTimestamp.milliseconds > 1_700_000_000_000)
            guard case .fractional = message.messageTimestamp.value else {
                Issue.record("a workflow's message has a fractional timestamp")
                return
            }
            message.messageTimestamp = MessageTimestamp(fractionalMilliseconds: 0.5)
            // Python's workflows and ours start at different times; that the option is there and where it stands counts.
            if message.options["eta"] != nil { message.options["eta"] = 0 }
            if delay == 0 {
                // Python sends a delay of nothing through the delay queue; here it goes straight to its queue.
                message.queueName = QueueName.canonical(message.queueName)
                message.options["eta"] = nil
            }
            if let reference = message.options[WorkflowMiddleware.callbacksOption] {
                let triples: [JSONValue] = (reference.arrayValue?.elements ?? []).map { triple in
                    var parts = triple.arrayValue?.elements ?? []
                    // Barriers have other names in every run; the innermost text tells them apart.
                    if let id = parts.first?.stringValue {
                        #expect(id.count == 36)
                        parts[0] = "(barrier)"
                    }
                    return .array(JSONArray(parts))
                }
                message.options[WorkflowMiddleware.callbacksOption] = .array(JSONArray(triples))
            }
            var text = (try? JSONMessageEncoder().encode(message)).map { String(decoding: $0, as: UTF8.self) } ?? "?"
            if WireTests.repeatsMessages.contains(name) {
                text = text.replacing(/"message_id":"[^"]*"/, with: "\"message_id\":\"\"")
            }
            messages.append("\(text) delay \(delay == 0 ? "nil" : delay.map { "\($0)" } ?? "nil")")
        }
    }
}
