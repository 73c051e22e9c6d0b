/// Something in one of the directories in which files lie.
struct DirectoryEntry {
    enum Kind {
        case content(ContentDigest)
        /// A file that is being written, or that somebody was killed over.
        case temporary
        /// Not made by this package.
        case foreign
    }

    let name: String
    let kind: Kind
    let status: FileStatus

    init(name: String, outer: String, inner: String, status: FileStatus) {
        self.name = name
        self.status = status
        if !status.isRegular {
            kind = .foreign
        } else if name.hasPrefix(ContentFiles.temporaryPrefix) {
            kind = .temporary
        } else if let digest = ContentDigest(hexadecimal: name), digest.fanOut == (outer, inner) {
            kind = .content(digest)
        } else {
            kind = .foreign
        }
    }
}

extension ContentFiles {
    /// Calls a closure with each entry and the directory that it is in, the lock's file left out. What is added or
    /// removed meanwhile may be among them or not.
    ///
    /// - Throws: ``FileStorageError`` if the outermost directory or one below it can't be read. `CancellationError`.
    func visitEntries(
        _ operation: String,
        _ cancellation: Cancellation,
        _ visit: (borrowing Descriptor, DirectoryEntry) throws -> Void
    ) throws {
        try visitDirectories(operation) { directory, outer, inner in
            for entry in try entries(of: directory, outer, inner, operation, cancellation) {
                try cancellation.check()
                try visit(directory, entry)
            }
        }
    }

    /// Calls a closure with each of the directories in which files lie, and its digits.
    func visitDirectories(
        _ operation: String,
        _ visit: (borrowing Descriptor, String, String) throws -> Void
    ) throws {
        // Says what is wrong with the directory as a whole; that those below are missing is no fault.
        let root = try places.openRoot(operation)
        for outer in FanOut.digits {
            guard
                let middle = try Self.unlessMissing({ () throws(FileStorageError) in
                    try root.openDirectory(outer, operation)
                })
            else { continue }
            for inner in FanOut.digits {
                guard
                    let leaf = try Self.unlessMissing({ () throws(FileStorageError) in
                        try middle.openDirectory(inner, operation)
                    })
                else { continue }
                try visit(leaf, outer, inner)
            }
        }
    }

    func entries(
        of directory: borrowing Descriptor,
        _ outer: String,
        _ inner: String,
        _ operation: String,
        _ cancellation: Cancellation
    ) throws -> [DirectoryEntry] {
        var entries: [DirectoryEntry] = []
        for name in try directory.names(operation) where name != DirectoryLock.name {
            try cancellation.check()
            let status = try Self.unlessMissing { () throws(FileStorageError) in
                try directory.status(of: name, operation)
            }
            guard let status else { continue }
            entries.append(DirectoryEntry(name: name, outer: outer, inner: inner, status: status))
        }
        return entries
    }

    private static func unlessMissing<Result: ~Copyable>(
        _ body: () throws(FileStorageError) -> Result
    ) throws(FileStorageError) -> Result? {
        do throws(FileStorageError) {
            return try body()
        } catch {
            guard error.code == .missing else { throw error }
            return nil
        }
    }
}
