public import Dramatiq

/// Compresses what another store keeps, where that makes it smaller.
///
///     let store = RedisWorkflowStore(redis).compressed(with: LZ4Compressor())
///
/// What is there without compression is read, too, and so is what any of the readable compressors made: a fleet can switch
/// while contents of before are still needed. Bytes that claim to unpack to more than ``maxSize``, or above 16 MiB to more
/// than 128 times their number, are an error.
public struct CompressedWorkflowStore<Base: WorkflowStore>: WorkflowStore {
    /// Keeps the bytes.
    public let base: Base
    private let format: ContentFormat

    /// The largest content, in bytes before compression.
    public var maxSize: Int { format.maxSize }

    /// - Parameter compressor: compresses what is stored; `nil` to read only what is compressed.
    package init(_ base: Base, compressor: (any Compressor)?, readable: [any Compressor], maxSize: Int) {
        self.base = base
        format = ContentFormat(compressor: compressor, readable: readable, maxSize: maxSize)
    }

    public var name: String { base.name }
    public var identity: String? { base.identity }

    /// - Throws: ``ContentFormatError`` for what is too large, what the compressor throws, what the store throws.
    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        try await base.store(pack(workflow, completionID), completionID: completionID)
    }

    /// - Throws: ``ContentFormatError``, what the store throws.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        try unpack(try await base.load(reference, completionID: completionID), completionID)
    }

    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try await base.refresh(reference, completionID: completionID)
    }

    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try await base.refresh(reference, completionID: completionID, for: wait)
    }

    public func remove(_ reference: JSONValue, completionID: String) async throws {
        try await base.remove(reference, completionID: completionID)
    }

    private func pack(_ content: [UInt8], _ name: String) throws -> [UInt8] {
        guard content.count <= maxSize else { throw named(format.tooLarge(content.count), name) }
        return try format.pack(content)
    }

    private func unpack(_ bytes: [UInt8], _ name: String) throws -> [UInt8] {
        do {
            return try format.unpack(bytes)
        } catch {
            throw named(error, name)
        }
    }

    private func named(_ error: ContentFormatError, _ name: String) -> ContentFormatError {
        var error = error
        error.name = name
        return error
    }
}

extension CompressedWorkflowStore: KeyedWorkflowStore where Base: KeyedWorkflowStore {
    package func key(of name: String, in place: StoreIdentity, beside key: String) -> String? {
        base.key(of: name, in: place, beside: key)
    }
}

/// Sizes are those after compression.
extension CompressedWorkflowStore: WorkflowStoreOperations where Base: WorkflowStoreOperations {
    public var retention: Duration { base.retention }

    public func contents(after position: String?) async throws -> StoredContentPage {
        try await base.contents(after: position)
    }

    public func stored(named name: String) async throws -> StoredContent? { try await base.stored(named: name) }

    /// - Throws: ``ContentFormatError``, what the store throws.
    public func content(named name: String) async throws -> [UInt8]? {
        try await base.content(named: name).map { try unpack($0, name) }
    }

    /// - Throws: as ``store(_:completionID:)``.
    public func store(_ content: [UInt8], named name: String) async throws {
        try await base.store(pack(content, name), named: name)
    }

    @discardableResult
    public func remove(named name: String, olderThan age: Duration) async throws -> Bool {
        try await base.remove(named: name, olderThan: age)
    }

    public func statistics() async throws -> StorageStatistics { try await base.statistics() }

    public func sweep(olderThan age: Duration?, isDryRun: Bool) async throws -> SweepReport {
        try await base.sweep(olderThan: age, isDryRun: isDryRun)
    }
}

extension WorkflowStore {
    /// This store with what it keeps compressed.
    ///
    /// - Parameters:
    ///   - compressor: compresses what is stored. All processes that read must have it.
    ///   - readable: those that contents may have been compressed with besides.
    ///   - maxSize: the largest content to store or load, in bytes before compression. Defaults to 64 MiB.
    public func compressed(
        with compressor: any Compressor,
        reading readable: any Compressor...,
        maxSize: Int = 64 << 20
    ) -> CompressedWorkflowStore<Self> {
        CompressedWorkflowStore(self, compressor: compressor, readable: readable, maxSize: maxSize)
    }
}
