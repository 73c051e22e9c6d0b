package import Dramatiq

/// What messages carry of their workflow in an option, which is dramatiq-workflow's format:
///
///     "workflow_completion_callbacks": [[completion_id, remaining_workflow | null, propagates], …]
///
/// Outermost first. In the place of a remaining workflow, and of the whole, a storage may have put a ``StorageReference``
/// instead. Storages write and read callbacks with this, whatever they do with the result.
package enum CallbackFormat {
    /// The option's name.
    package static let option = "workflow_completion_callbacks"
    /// The most values that callbacks may consist of, each entry, what is in it and the members of its remaining workflow
    /// counted: far more than the deepest workflow has that an encoder lets pass.
    private static let maxParts = 1 << 16

    /// What stands in the place of a remaining workflow.
    package enum StandIn {
        case reference(StorageReference)
        /// Where it begins in the content that the callbacks as a whole refer to.
        case cursor(Int)
    }

    /// The array for callbacks, with what `standIn` gives in the place of a remaining workflow: the workflow itself, or a
    /// reference.
    package static func write(
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

    /// Reads the array.
    ///
    /// - Parameter resolve: makes a remaining workflow of what stands in its place, and of the completion id beside it;
    ///   `nil` if it is nothing that a storage has put there.
    /// - Throws: ``WorkflowError/Code/invalidCallbacks``, ``WorkflowError/Code/foreignReference`` for
    ///   a reference unless told how to resolve it.
    package static func read(
        _ value: JSONValue,
        resolve: (StandIn, String) throws(WorkflowError) -> RemainingWorkflow? = {
            (standIn, _) throws(WorkflowError) in
            if case .reference(let reference) = standIn { throw reference.isForeign }
            return nil
        }
    ) throws(WorkflowError) -> [CompletionCallback] {
        guard let array = value.arrayValue else {
            if let reference = try StorageReference(reading: value) { throw reference.isForeign }
            throw .invalidCallbacks(reason: "they must be an array")
        }
        var callbacks: [CompletionCallback] = []
        // Down to the members of the remaining workflows; their children stay text.
        guard let triples = array.elements(levels: 2, maxCount: maxParts) else {
            throw .invalidCallbacks(reason: "they have more than \(maxParts) parts")
        }
        for triple in triples {
            guard let parts = triple.arrayValue?.elements, parts.count == 3,
                let completionID = parts[0].stringValue, let propagates = parts[2].boolValue
            else {
                throw .invalidCallbacks(
                    reason: "entry \(callbacks.count + 1) must be [completion id, workflow or null, boolean]")
            }
            guard completionID.utf8.count <= Message.maxNameSize else {
                throw .invalidCallbacks(
                    reason: "the completion id of entry \(callbacks.count + 1) has \(completionID.utf8.count) bytes, "
                        + "the limit is \(Message.maxNameSize)")
            }
            var remaining: RemainingWorkflow?
            if let reference = try StorageReference(reading: parts[1]) {
                remaining = try resolve(.reference(reference), completionID)
            } else if case .integer(let cursor) = parts[1] {
                remaining = try resolve(.cursor(cursor), completionID)
            }
            if remaining == nil, !parts[1].isNull { remaining = RemainingWorkflow(parts[1]) }
            callbacks.append(
                CompletionCallback(completionID: completionID, remaining: remaining, propagates: propagates))
        }
        return callbacks
    }
}
