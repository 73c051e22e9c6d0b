public import Dramatiq
public import DramatiqWorkflow

/// Contents are named by their digests. What can't be read or removed keeps nothing else from being looked after.
extension FileWorkflowStore: WorkflowStoreOperations {
    public var retention: Duration { directory.retention.age }

    /// - Throws: ``FileStorageError``, `CancellationError`.
    public func contents(after position: String?) async throws -> StoredContentPage {
        let leaf = position.flatMap { Int($0) } ?? 0
        var (page, nextLeaf) = try await directory.contents(from: max(0, leaf))
        page.next = nextLeaf.map(String.init)
        return page
    }

    /// - Throws: ``FileStorageError``.
    public func stored(named name: String) async throws -> StoredContent? {
        guard let digest = ContentDigest(contentName: name) else { return nil }
        return try await directory.stored(digest)
    }

    /// - Throws: ``FileStorageError``.
    public func content(named name: String) async throws -> [UInt8]? {
        guard let digest = ContentDigest(contentName: name) else { return nil }
        return try await directory.content(digest)
    }

    /// - Throws: ``FileStorageError``, what the compressor throws, `StorageOperationError` for another name than the
    ///   content's digest.
    public func store(_ content: [UInt8], named name: String) async throws {
        guard ContentDigest(contentName: name) == ContentDigest(of: content) else {
            throw StorageOperationError.otherName(name)
        }
        _ = try await directory.store(content)
    }

    /// - Throws: ``FileStorageError``, `CancellationError`.
    @discardableResult
    public func remove(named name: String, olderThan age: Duration) async throws -> Bool {
        guard let digest = ContentDigest(contentName: name) else { return false }
        return try await directory.remove(digest, olderThan: age)
    }

    /// - Throws: as `StorageDirectory.statistics()`.
    public func statistics() async throws -> StorageStatistics { try await directory.statistics() }

    /// - Throws: as `StorageDirectory.sweep(olderThan:isDryRun:)`.
    public func sweep(olderThan age: Duration? = nil, isDryRun: Bool = false) async throws -> SweepReport {
        try await directory.sweep(olderThan: age, isDryRun: isDryRun)
    }
}

extension FileWorkflowStore {
    /// This store with what it keeps compressed. As that of any store, but files keep their names, and always say what
    /// is in them.
    ///
    /// - Parameters:
    ///   - compressor: compresses what is stored. All processes that read must have it.
    ///   - readable: those that files may have been compressed with besides.
    ///   - maxSize: the largest content to store or load, in bytes before compression. Defaults to 64 MiB.
    public func compressed(
        with compressor: any Compressor,
        reading readable: any Compressor...,
        maxSize: Int = StorageDirectory.defaultMaxSize
    ) -> FileWorkflowStore {
        FileWorkflowStore(directory.compressed(with: compressor, readable, maxSize: maxSize))
    }
}
