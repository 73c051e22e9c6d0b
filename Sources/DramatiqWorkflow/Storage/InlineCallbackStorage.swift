public import Dramatiq

/// Carries callbacks in the messages themselves: nothing to set up, and messages grow with the workflow.
///
/// The form is dramatiq-workflow's: `[[completion_id, remaining_workflow | null, propagate], …]`, outermost first.
public struct InlineCallbackStorage: CallbackStorage {
    public init() {}

    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        var triples: [JSONValue] = []
        triples.reserveCapacity(callbacks.count)
        for callback in callbacks {
            let remaining = try await callback.remaining?.load() ?? .null
            triples.append([.string(callback.completionID), remaining, .bool(callback.propagates)])
        }
        return .array(JSONArray(triples))
    }

    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try Self.callbacks(reference)
    }

    /// Reads callbacks that a message carries itself.
    ///
    /// - Throws: ``WorkflowError/invalidCallbacks(reason:)``.
    package static func callbacks(_ reference: JSONValue) throws(WorkflowError) -> [CompletionCallback] {
        guard let triples = reference.arrayValue else { throw .invalidCallbacks(reason: "they must be an array") }
        var callbacks: [CompletionCallback] = []
        // Down to the members of the remaining workflows; their children stay text.
        for triple in triples.elements(levels: 2) {
            guard let parts = triple.arrayValue?.elements, parts.count == 3,
                let completionID = parts[0].stringValue, let propagates = parts[2].boolValue
            else {
                throw .invalidCallbacks(
                    reason: "entry \(callbacks.count + 1) must be [completion id, workflow or null, boolean]")
            }
            let remaining = parts[1].isNull ? nil : RemainingWorkflow(parts[1])
            callbacks.append(
                CompletionCallback(completionID: completionID, remaining: remaining, propagates: propagates))
        }
        return callbacks
    }
}
