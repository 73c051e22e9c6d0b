import Crypto
public import Dramatiq
public import DramatiqWorkflow

/// Keeps what is left of a workflow in a store, once for each run; messages carry a reference of some 150 bytes, however
/// large the workflow. It is loaded only for the message that opens its barrier, and then kept in memory.
///
///     WorkflowMiddleware(
///         backend: backend,
///         callbackStorage: DedupCallbackStorage(FileWorkflowStore(directory: "/var/lib/app/workflows")))
///
/// What is small stays in the messages, as `InlineCallbackStorage` has it, and messages that carry theirs themselves are
/// always understood. Python reads and writes the references with the module in this package's `Python` directory.
public struct DedupCallbackStorage<Store: WorkflowStore>: CallbackStorage {
    /// Has the workflows.
    public let store: Store
    private let contents: ContentStorage

    /// - Parameters:
    ///   - store: has the workflows.
    ///   - inlineLimit: a workflow stays in its messages if none of them has to carry more for it than this, in bytes of
    ///     JSON; 0 for none. Defaults to `nil`: it is stored if its messages have to carry less than an eighth of the bytes
    ///     in all then, what is stored included, or if one has to carry more than 32 KiB.
    ///   - cache: keeps what was stored and loaded. Defaults to the one that all storages of the process share.
    public init(_ store: Store, inlineLimit: Int? = nil, cache: WorkflowCache = .shared) {
        self.store = store
        contents = ContentStorage(name: "dedup.\(store.name)", store: store, inlineLimit: inlineLimit, cache: cache) {
            ContentName(digest: SHA256.hash(data: $0))
        }
    }

    /// - Throws: what the store throws.
    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try await contents.store(callbacks)
    }

    /// - Throws: what the store throws.
    public func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks {
        try await contents.storeForRun(callbacks)
    }

    /// - Throws: what the store throws.
    public func remove(_ contents: [String]) async throws {
        try await self.contents.remove(contents)
    }

    /// - Throws: `WorkflowError.Code.invalidCallbacks`, `WorkflowError.Code.foreignReference`. What the store throws, that
    ///   the content is not what was stored (`StoredContentError`) and `WorkflowError.Code.invalidCursor` are thrown when
    ///   a workflow is loaded.
    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try await contents.retrieve(reference)
    }

    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        try contents.retrieveNow(reference)
    }

    /// - Throws: as ``retrieve(_:)``, and what the store throws.
    public func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        try await contents.refresh(reference, for: wait)
    }
}

extension DedupCallbackStorage: KeyedCallbackStorage {
    package func key(of content: String, in place: StoreIdentity, beside key: String) -> String? {
        contents.key(of: content, in: place, beside: key)
    }

    package func hasKeys(in place: StoreIdentity, beside key: String) -> Bool {
        contents.hasKeys(in: place, beside: key)
    }
}
