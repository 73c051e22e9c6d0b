public import Dramatiq

/// Carries callbacks in the messages themselves: nothing to set up, and messages grow with the workflow.
///
/// The form is dramatiq-workflow's, so Python's workers can take part.
public struct InlineCallbackStorage: CallbackStorage {
    private let recent = RecentCallbacks()

    public init() {}

    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try await CallbackFormat.write(callbacks) { _, remaining in try await remaining.load() }
    }

    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try recent.callbacks(reference)
    }

    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        try recent.callbacks(reference)
    }
}
