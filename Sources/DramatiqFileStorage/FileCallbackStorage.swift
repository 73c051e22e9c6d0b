public import Dramatiq
public import DramatiqWorkflow

/// Keeps what is left of a workflow in a file, once for each run, and callbacks that are large themselves: messages carry
/// a reference of some 150 bytes, however large the workflow and however deep it is nested.
///
///     WorkflowMiddleware(
///         backend: backend, callbackStorage: FileCallbackStorage(directory: "/var/lib/app/workflows"))
///
/// A workflow is loaded only for the message that opens its barrier, and then kept in memory. Machines can share the
/// directory. What is small stays in the messages, as `InlineCallbackStorage` has it, and messages that carry theirs
/// themselves are always understood. Python reads and writes the references with the module in this package's `Python`
/// directory.
public struct FileCallbackStorage: CallbackStorage {
    /// The largest callbacks that stay in messages, in bytes: those of some eighty parts that lie in one another.
    static let callbackLimit = 4096

    /// Where the files are; sweep it now and then.
    public let directory: StorageDirectory
    private let contents: ContentStorage

    /// - Parameters:
    ///   - directory: where the files are.
    ///   - inlineLimit: a workflow stays in its messages if none of them has to carry more for it than this, in bytes of
    ///     JSON; 0 for none. Defaults to `nil`: it is stored if its messages have to carry less than an eighth of the bytes
    ///     in all then, what is stored included, or if one has to carry more than 32 KiB.
    ///   - cache: keeps what was stored and loaded. Defaults to the one that all storages of the process share.
    public init(_ directory: StorageDirectory, inlineLimit: Int? = nil, cache: WorkflowCache = .shared) {
        self.init(directory, store: FileWorkflowStore(directory), inlineLimit: inlineLimit, cache: cache)
    }

    /// - Parameter store: has what is in the directory, and may count what it is asked for.
    package init(
        _ directory: StorageDirectory,
        store: any WorkflowStore,
        inlineLimit: Int? = nil,
        cache: WorkflowCache = .shared
    ) {
        self.directory = directory
        contents = ContentStorage(
            name: "file", store: store, inlineLimit: inlineLimit,
            callbackLimit: Self.callbackLimit, cache: cache
        ) { ContentDigest(of: $0).name }
    }

    /// - Parameters:
    ///   - directory: the path of the directory; it is made when it is needed.
    ///   - durability: what stored workflows survive. Defaults to a power failure.
    ///   - compressor: compresses what is stored. Defaults to none.
    public init(
        directory: String,
        durability: Durability = .powerFailure,
        compressor: (any Compressor)? = nil
    ) {
        self.init(StorageDirectory(directory, durability: durability, compressor: compressor))
    }

    /// - Throws: ``FileStorageError``, what the compressor throws, or what the storage throws that has a remaining
    ///   workflow.
    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try await contents.store(callbacks)
    }

    /// - Throws: as ``store(_:)``.
    public func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks {
        try await contents.storeForRun(callbacks)
    }

    /// - Throws: ``FileStorageError``.
    public func remove(_ contents: [String]) async throws {
        try await self.contents.remove(contents)
    }

    /// - Throws: ``FileStorageError``, `WorkflowError.Code.invalidCallbacks`, `WorkflowError.Code.foreignReference`. What
    ///   is wrong with a workflow is thrown when it is loaded.
    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try await contents.retrieve(reference)
    }

    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        try contents.retrieveNow(reference)
    }

    /// - Throws: as ``retrieve(_:)``.
    public func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        try await contents.refresh(reference, for: wait)
    }
}
