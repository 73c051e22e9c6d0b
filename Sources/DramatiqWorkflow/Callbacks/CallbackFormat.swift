package import Dramatiq

/// What messages carry of their workflow in an option, which is dramatiq-workflow's format:
///
///     "workflow_completion_callbacks": [[completion_id, remaining_workflow | null, propagates], …]
///
/// Outermost first. In the place of a remaining workflow, and of the whole, a storage may have put a ``StorageReference``
/// instead; entries in such a reference are shorter where they can be (``Form/entries``). Storages write and read callbacks
/// with this, whatever they do with the result.
package enum CallbackFormat {
    /// The option's name.
    package static let option = "workflow_completion_callbacks"
    /// The option in which messages say which run they are of, if the storage keeps their callbacks apart: these go with the
    /// run, and a message that comes once more finds out that it is over.
    static let runOption = "workflow_run"
    /// The most values that callbacks may consist of, each entry, what is in it and the members of its remaining workflow
    /// counted: far more than the deepest workflow has that an encoder lets pass.
    private static let maxParts = 1 << 16

    /// What stands in the place of a remaining workflow.
    package enum StandIn {
        case reference(StorageReference)
        /// Where it begins in the content that the callbacks as a whole refer to.
        case cursor(Int)
    }

    /// How the entries are written.
    package enum Form {
        /// As dramatiq-workflow has them.
        case triples
        /// As references to a content have them: where an entry propagates, its boolean is left out.
        case entries
    }

    /// The array for callbacks.
    ///
    /// - Parameter rests: what stands for what remains of each: the workflow itself, something in its place, or `null`.
    package static func write(
        _ callbacks: [CompletionCallback],
        rests: [JSONValue],
        as form: Form = .triples
    ) -> JSONValue {
        let entries = zip(callbacks, rests).map { callback, rest -> JSONValue in
            let id = JSONValue.string(callback.completionID)
            if form == .entries, callback.propagates { return [id, rest] }
            return [id, rest, .bool(callback.propagates)]
        }
        return .array(JSONArray(entries))
    }

    /// Reads the array.
    ///
    /// - Parameters:
    ///   - form: which entries may be there: only triples, or those without a boolean, too.
    ///   - resolve: makes a remaining workflow of what stands in its place, and of the completion id beside it; `nil` if it
    ///     is nothing that a storage has put there.
    /// - Throws: ``WorkflowError/Code/invalidCallbacks``, ``WorkflowError/Code/foreignReference`` for
    ///   a reference unless told how to resolve it.
    package static func read(
        _ value: JSONValue,
        as form: Form = .triples,
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
        guard let entries = array.elements(levels: 2, maxCount: maxParts) else {
            throw .invalidCallbacks(reason: "they have more than \(maxParts) parts")
        }
        for entry in entries {
            guard let parts = entry.arrayValue?.elements, parts.count == 3 || parts.count == 2 && form == .entries,
                let completionID = parts[0].stringValue,
                let propagates = parts.count == 2 ? true : parts[2].boolValue
            else {
                let alternative = form == .entries ? ", or the first two" : ""
                throw .invalidCallbacks(
                    reason: "entry \(callbacks.count + 1) must be [completion id, workflow or null, boolean]"
                        + alternative)
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
