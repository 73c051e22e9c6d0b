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
    func samples() async throws -> [Sample]
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
