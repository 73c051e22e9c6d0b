import Dramatiq
import DramatiqWorkflow

/// Something whose messages are looked at.
struct Sample: Sendable {
    enum Content: Sendable {
        /// A workflow, whose messages come from running it.
        case workflow(WorkflowNode)
        /// Messages as somebody sent them.
        case messages([Message])
    }

    /// What people call it.
    let name: String
    let content: Content
}

/// Has samples: files, or a queue.
protocol SampleSource: Sendable {
    /// - Throws: why there are none, if there is nothing in particular that can't be read.
    func samples() async throws -> FoundSamples
}

/// What a source has, and what of it can't be read, which keeps nothing else from being looked at.
struct FoundSamples: Sendable {
    var samples: [Sample] = []
    /// Names what can't be read, and why; for a person to read.
    var problems: [String] = []
}

extension Sample {
    /// Visits the messages, one at a time.
    ///
    /// - Parameter storage: where a workflow's callbacks are kept; messages that somebody sent are what they are.
    func forEachMessage(
        storage: any CallbackStorage = InlineCallbackStorage(),
        _ visit: (Message) async throws -> Void
    ) async throws {
        switch content {
        case .messages(let messages):
            for message in messages { try await visit(message) }
        case .workflow(let workflow):
            try await WorkflowRehearsal(callbackStorage: storage).run(workflow, visit: visit)
        }
    }
}
