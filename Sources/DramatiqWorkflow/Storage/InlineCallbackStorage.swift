public import Dramatiq

/// Carries callbacks in the messages themselves: nothing to set up, and messages grow with the workflow.
///
/// The form is dramatiq-workflow's: `[[completion_id, remaining_workflow | null, propagate], …]`, outermost first.
public struct InlineCallbackStorage: CallbackStorage {
    private let recent = RecentCallbacks()

    public init() {}

    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try await Self.triples(callbacks) { _, remaining in try await remaining.load() }
    }

    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try recent.callbacks(reference)
    }

    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        try recent.callbacks(reference)
    }

    /// The triples for callbacks, with what `standIn` gives in the place of a remaining workflow.
    package static func triples(
        _ callbacks: [CompletionCallback],
        standIn: (CompletionCallback, RemainingWorkflow) async throws -> JSONValue
    ) async throws -> JSONValue {
        var triples: [JSONValue] = []
        triples.reserveCapacity(callbacks.count)
        for callback in callbacks {
            var remaining = JSONValue.null
            if let workflow = callback.remaining { remaining = try await standIn(callback, workflow) }
            triples.append([.string(callback.completionID), remaining, .bool(callback.propagates)])
        }
        return .array(JSONArray(triples))
    }

    /// Reads triples.
    ///
    /// - Parameter resolve: makes a remaining workflow of a reference that stands in its place, and of the completion
    ///   id beside it.
    /// - Throws: ``WorkflowError/invalidCallbacks(reason:)``, ``WorkflowError/foreignReference(storage:version:)`` for
    ///   a reference unless told how to resolve it.
    package static func callbacks(
        _ triples: JSONValue,
        resolve: (StorageReference, String) throws(WorkflowError) -> RemainingWorkflow = {
            (reference, _) throws(WorkflowError) in throw reference.isForeign
        }
    ) throws(WorkflowError) -> [CompletionCallback] {
        guard let array = triples.arrayValue else {
            if let reference = try StorageReference(reading: triples) { throw reference.isForeign }
            throw .invalidCallbacks(reason: "they must be an array")
        }
        var callbacks: [CompletionCallback] = []
        // Down to the members of the remaining workflows; their children stay text.
        for triple in array.elements(levels: 2) {
            guard let parts = triple.arrayValue?.elements, parts.count == 3,
                let completionID = parts[0].stringValue, let propagates = parts[2].boolValue
            else {
                throw .invalidCallbacks(
                    reason: "entry \(callbacks.count + 1) must be [completion id, workflow or null, boolean]")
            }
            var remaining: RemainingWorkflow?
            if let reference = try StorageReference(reading: parts[1]) {
                remaining = try resolve(reference, completionID)
            } else if !parts[1].isNull {
                remaining = RemainingWorkflow(parts[1])
            }
            callbacks.append(
                CompletionCallback(completionID: completionID, remaining: remaining, propagates: propagates))
        }
        return callbacks
    }
}
