public import Dramatiq
public import DramatiqWorkflow

/// Keeps what is left of workflows in files, for `DedupCallbackStorage`.
///
///     DedupCallbackStorage(FileWorkflowStore(directory: "/var/lib/app/workflows"))
///
/// What a tracked run has stored goes when the run has ended. Machines can share the directory.
public struct FileWorkflowStore: WorkflowStore {
    /// Where the files are; sweep it now and then.
    public let directory: StorageDirectory

    public init(_ directory: StorageDirectory) {
        self.directory = directory
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

    public var name: String { "file" }
    public var identity: String? { "file \(directory.path)" }

    /// - Throws: ``FileStorageError``, or what the compressor throws.
    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        let digest = try await directory.store(workflow)
        // The content's name says it all.
        return digest.name.text.hasSameBytes(as: completionID) ? .string(completionID) : digest.jsonValue
    }

    /// - Throws: ``FileStorageError``, or `WorkflowError.Code.invalidCallbacks` for a reference that is none.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        try await directory.load(ContentDigest(reading: reference))
    }

    /// - Throws: ``FileStorageError``, or `WorkflowError.Code.invalidCallbacks` for a reference that is none.
    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try await refresh(reference, completionID: completionID, for: .zero)
    }

    /// - Throws: as ``refresh(_:completionID:)``.
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try await directory.renew(ContentDigest(reading: reference), for: wait)
    }

    /// - Throws: as ``refresh(_:completionID:)``.
    public func remove(_ reference: JSONValue, completionID: String) async throws {
        try await directory.remove(ContentDigest(reading: reference))
    }
}

extension ContentDigest {
    /// Reads the place in a reference.
    init(reading place: JSONValue) throws(WorkflowError) {
        guard let digest = place.stringValue.flatMap(ContentDigest.init(contentName:)) ?? ContentDigest(place) else {
            throw .invalidCallbacks(
                reason: "a file must be given by the name of its content, or as sha256: and 64 hexadecimal digits")
        }
        self = digest
    }
}
