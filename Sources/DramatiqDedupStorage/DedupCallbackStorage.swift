public import Dramatiq
public import DramatiqWorkflow

/// Keeps what is left of a workflow in a store, once for each completion id and not once for each message; messages
/// carry a reference. It is loaded only for the message that opens its barrier.
///
///     WorkflowMiddleware(
///         backend: backend,
///         callbackStorage: DedupCallbackStorage(FileWorkflowStore(directory: "/var/lib/app/workflows")))
///
/// Callbacks keep the form of ``InlineCallbackStorage``, with a ``StorageReference`` in place of the remaining workflow,
/// so messages that carry theirs themselves are understood, too. Python's dramatiq-workflow can't read the references:
/// use this where all workers of a workflow's actors are Swift.
public struct DedupCallbackStorage<Store: WorkflowStore>: CallbackStorage {
    private static var version: Int { 1 }

    /// Has the workflows.
    public let store: Store
    /// Remaining workflows up to this size stay in the messages, in bytes of JSON.
    public let inlineLimit: Int
    private let refreshes: RefreshSchedule

    /// - Parameters:
    ///   - store: has the workflows.
    ///   - inlineLimit: remaining workflows up to this size stay in the messages, in bytes of JSON. A reference takes
    ///     about 130 bytes, so a single message may be cheaper carried than stored. Defaults to 0.
    public init(_ store: Store, inlineLimit: Int = 0) {
        self.store = store
        self.inlineLimit = inlineLimit
        refreshes = RefreshSchedule()
    }

    private var name: String { "dedup.\(store.name)" }

    /// - Throws: what the store throws.
    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try await CallbackFormat.write(callbacks) { callback, remaining in
            try await remaining.reference(in: refreshes) {
                try await standIn(for: remaining, callback.completionID)
            }
        }
    }

    /// What messages carry for a remaining workflow: a reference that came with a message is carried on without
    /// loading.
    private func standIn(for remaining: RemainingWorkflow, _ completionID: String) async throws -> JSONValue {
        if let carried = remaining.reference, let place = place(in: carried) {
            do {
                try await store.refresh(place, completionID: completionID)
                return carried
            } catch {
                // It may still be had from where it came, such as the directory used before this one.
            }
        }
        let workflow = try await remaining.load()
        let text = workflow.encoded()
        if text.count <= inlineLimit { return workflow }
        let place = try await store.store(text, completionID: completionID)
        return StorageReference(storage: name, version: Self.version, place: place).jsonValue
    }

    /// - Throws: `WorkflowError.Code.invalidCallbacks`, `WorkflowError.Code.foreignReference`. What the store throws and that a
    ///   workflow is not JSON is thrown when it is loaded.
    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        let (callbacks, places) = try callbacks(reference)
        for (place, completionID) in places { await refresh(place, completionID) }
        return callbacks
    }

    /// - Throws: as ``retrieve(_:)``, and what the store throws.
    public func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        for (place, completionID) in try callbacks(reference).places {
            try await store.refresh(place, completionID: completionID, for: wait)
        }
    }

    /// Reads callbacks, and the places of what the store has.
    private func callbacks(
        _ value: JSONValue
    ) throws -> (callbacks: [CompletionCallback], places: [(JSONValue, String)]) {
        var places: [(JSONValue, String)] = []
        let callbacks = try CallbackFormat.read(value) { stored, completionID throws(WorkflowError) in
            let place = try stored.place(of: name, version: Self.version)
            places.append((place, completionID))
            return RemainingWorkflow(reference: stored.jsonValue) { [store] in
                try JSONValue(parsing: try await store.load(place, completionID: completionID))
            }
        }
        return (callbacks, places)
    }

    /// A message that arrives renews its barriers, so what comes after them has to be kept as long. Whether it works
    /// doesn't matter to this message: the one that opens the barrier will be told.
    private func refresh(_ place: JSONValue, _ completionID: String) async {
        guard refreshes.isDue(completionID) else { return }
        try? await store.refresh(place, completionID: completionID)
    }

    private func place(in carried: JSONValue) -> JSONValue? {
        try? StorageReference(reading: carried)?.place(of: name, version: Self.version)
    }
}
