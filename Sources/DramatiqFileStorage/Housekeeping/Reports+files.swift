public import Dramatiq
public import DramatiqWorkflow

extension StorageStatistics {
    mutating func fail(_ error: FileStorageError) {
        fail(error.storageFailure)
    }

    mutating func add(_ entry: DirectoryEntry, at now: FileDate, limit: Duration) {
        switch entry.kind {
        case .content: add(size: entry.status.size, age: now - entry.status.modified, limit: limit)
        case .temporary: addTemporary(size: entry.status.size)
        case .foreign, .irregular: addForeign()
        }
    }
}

extension SweepReport {
    mutating func remove(_ entry: DirectoryEntry) {
        if case .temporary = entry.kind { removeLeftover(entry.status.size) } else { remove(entry.status.size) }
    }

    mutating func keep(_ entry: DirectoryEntry) {
        if case .content = entry.kind { keep(entry.status.size) }
    }

    mutating func fail(_ error: FileStorageError) {
        fail(error.storageFailure)
    }
}

extension VerificationReport {
    mutating func add(_ problem: FileStorageError) {
        // Swept meanwhile.
        if problem.code != .missing { add(problem.storageFailure) }
    }
}

extension FileStorageError: ConfinedError, StorageFailureConvertible {
    /// Always: the other files can still be looked after.
    public var isConfined: Bool { true }

    public func storageFailure(at place: String) -> StorageFailure { storageFailure }

    var storageFailure: StorageFailure {
        StorageFailure(place: path, code: "\(code)", reason: reason, description: description)
    }
}
