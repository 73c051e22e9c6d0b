import Dramatiq
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

extension ContentDigest {
    private static let base64 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The digest in base64url without padding, as references call a content.
    var contentName: String {
        let digits = hexadecimal.utf8.map { UInt32($0 <= 57 ? $0 - 48 : $0 - 87) } + [0, 0]
        // Three hexadecimal digits are two of these; the last two have four bits more than there are.
        var text: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 3) {
            let bits = digits[index] << 8 | digits[index + 1] << 4 | digits[index + 2]
            text += [Self.base64[Int(bits >> 6)], Self.base64[Int(bits & 63)]]
        }
        return String(decoding: text.dropLast(), as: UTF8.self)
    }

    /// Takes exactly what ``contentName`` looks like and nothing else.
    init?(contentName name: String) {
        guard name.utf8.count == 43 else { return nil }
        var digits: [UInt8] = []
        for byte in name.utf8 {
            guard let value = Self.base64.firstIndex(of: byte) else { return nil }
            digits.append(UInt8(value))
        }
        digits.append(0)
        var text = ""
        for index in stride(from: 0, to: digits.count, by: 2) {
            let bits = Int(digits[index]) << 6 | Int(digits[index + 1])
            text += String(bits >> 8, radix: 16) + String(bits >> 4 & 15, radix: 16) + String(bits & 15, radix: 16)
        }
        self.init(hexadecimal: text.dropLast(2))
        guard contentName.hasSameBytes(as: name) else { return nil }
    }
}
