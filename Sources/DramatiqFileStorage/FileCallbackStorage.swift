public import Dramatiq
public import DramatiqWorkflow

/// Keeps the callbacks of messages in files: messages carry a reference of some 130 bytes, however large the workflow.
///
///     WorkflowMiddleware(
///         backend: backend, callbackStorage: FileCallbackStorage(directory: "/var/lib/app/workflows"))
///
/// What is left of a workflow is in a file of its own unless it is small, so that all callbacks which hold it share it,
/// and it is loaded only for the message that opens its barrier. Machines can share the directory. Callbacks that
/// messages carry themselves are understood, too. Python's dramatiq-workflow can't read the references: use this where
/// all workers of a workflow's actors are Swift.
public struct FileCallbackStorage: CallbackStorage {
    private static let name = "file"
    private static let version = 1
    /// What is left of a workflow stays with the callbacks up to this size, in bytes: they take a block of the file
    /// system anyway.
    private static let inlineLimit = 2048

    /// Where the files are; sweep it now and then.
    public let directory: StorageDirectory

    public init(_ directory: StorageDirectory) {
        self.directory = directory
    }

    /// - Parameters:
    ///   - directory: the path of the directory; it is made when it is needed.
    ///   - durability: what stored callbacks survive. Defaults to a power failure.
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
        let content = try await CallbackFormat.write(callbacks) { _, remaining in
            try await remaining.reference(in: directory) { try await standIn(for: remaining) }
        }
        return Self.reference(try await directory.store(content.encoded()))
    }

    /// What callbacks hold in place of a remaining workflow: one that came with a message is carried on without loading.
    private func standIn(for remaining: RemainingWorkflow) async throws -> JSONValue {
        if let carried = remaining.reference, let digest = try? Self.digest(reading: carried) {
            do {
                try await directory.renew(digest)
                return carried
            } catch let error as FileStorageError where error.code == .locked {
                throw error
            } catch {
                // It may still be had from where it came, such as the directory used before this one.
            }
        }
        let workflow = try await remaining.load()
        let text = workflow.encoded()
        if text.count <= Self.inlineLimit { return workflow }
        return Self.reference(try await directory.store(text))
    }

    /// - Throws: ``FileStorageError``, `WorkflowError.Code.invalidCallbacks`, `WorkflowError.Code.foreignReference`.
    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        if case .array = reference { return try callbacks(reference).callbacks }
        let digest = try Self.digest(reading: reference)
        let (content, isRenewed) = try await directory.load(digest)
        let (callbacks, apart) = try callbacks(JSONValue(parsing: content))
        // They were stored together and are needed for as long. Whether it works doesn't matter to this message: the
        // one that opens the barrier will be told.
        if isRenewed { for digest in apart { await directory.renewIfFree(digest) } }
        return callbacks
    }

    /// - Throws: as ``retrieve(_:)``.
    public func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        if case .array = reference { return }
        let digest = try Self.digest(reading: reference)
        let apart = try callbacks(JSONValue(parsing: try await directory.load(digest).content)).apart
        for digest in apart + [digest] { try await directory.renew(digest, for: wait) }
    }

    /// Reads callbacks, and the digests of what is in files of its own.
    private func callbacks(
        _ value: JSONValue
    ) throws -> (callbacks: [CompletionCallback], apart: [ContentDigest]) {
        var apart: [ContentDigest] = []
        let callbacks = try CallbackFormat.read(value) { stored, _ throws(WorkflowError) in
            let digest = try Self.digest(stored)
            apart.append(digest)
            return RemainingWorkflow(reference: stored.jsonValue) { [directory] in
                try JSONValue(parsing: try await directory.load(digest).content)
            }
        }
        return (callbacks, apart)
    }

    private static func reference(_ digest: ContentDigest) -> JSONValue {
        StorageReference(storage: name, version: version, place: digest.jsonValue).jsonValue
    }

    private static func digest(reading value: JSONValue) throws(WorkflowError) -> ContentDigest {
        guard let stored = try StorageReference(reading: value) else {
            throw .invalidCallbacks(reason: "they must be an array, or a reference to what a storage has")
        }
        return try digest(stored)
    }

    private static func digest(_ stored: StorageReference) throws(WorkflowError) -> ContentDigest {
        try ContentDigest(reading: stored.place(of: name, version: version))
    }
}
