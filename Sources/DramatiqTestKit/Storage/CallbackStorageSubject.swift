public import DramatiqWorkflow

/// Makes the storages that ``CallbackStoragePromises`` are checked on.
public protocol CallbackStorageSubject: ConformanceSubject {
    /// Makes a storage. All that one subject makes keep callbacks in the same place, as several processes do.
    ///
    /// - Throws: why it can't be made; the check fails with it.
    func makeStorage() async throws -> any CallbackStorage
}

extension Promise where Subject == any CallbackStorageSubject {
    init(
        _ name: String,
        needs: Set<Claim> = [],
        file: String = #fileID,
        line: Int = #line,
        _ body: @escaping @Sendable (any CallbackStorageSubject) async throws -> Void
    ) {
        self.init(name, needs: needs, file: file, line: line, base: { $0 }, body: body)
    }
}
