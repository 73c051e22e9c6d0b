public import Dramatiq

/// Carries callbacks in the messages themselves: nothing to set up, and messages grow with the workflow.
///
/// The form is dramatiq-workflow's, so Python's workers can take part.
public struct InlineCallbackStorage: CallbackStorage {
    private let recent = RecentCallbacks()

    public init() {}

    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        var rests: [JSONValue] = []
        rests.reserveCapacity(callbacks.count)
        for callback in callbacks { rests.append(try await callback.remaining?.load() ?? .null) }
        return CallbackFormat.write(callbacks, rests: rests)
    }

    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try recent.callbacks(reference)
    }

    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        try recent.callbacks(reference)
    }
}
