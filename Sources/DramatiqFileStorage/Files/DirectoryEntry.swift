import Dramatiq

/// Something in one of the directories in which files lie.
struct DirectoryEntry {
    enum Kind {
        case content(ContentDigest)
        /// A file that is being written, or that somebody was killed over.
        case temporary
        /// Not made by this package.
        case foreign
        /// No file at all: a directory, a symbolic link, a pipe, a socket or a device.
        case irregular
    }

    let name: String
    let kind: Kind
    let status: FileStatus

    init(name: String, outer: String, inner: String, status: FileStatus) {
        self.name = name
        self.status = status
        if !status.isRegular {
            kind = .irregular
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
    /// - Parameter failed: gets what can't be read; it keeps nothing else from being visited.
    /// - Throws: ``FileStorageError`` if the outermost directory can't be read. `CancellationError`.
    func visitEntries(
        _ operation: String,
        _ cancellation: Cancellation,
        failed: (FileStorageError) -> Void,
        _ visit: (borrowing Descriptor, DirectoryEntry) throws -> Void
    ) throws {
        try visitDirectories(operation, failed: failed) { directory, outer, inner in
            for entry in try entries(of: directory, outer, inner, operation, cancellation, failed: failed) {
                try cancellation.check()
                try visit(directory, entry)
            }
        }
    }

    /// Calls a closure with each of the directories in which files lie, and its digits.
    ///
    /// - Parameters:
    ///   - leaves: the numbers of those that are meant. Defaults to all.
    ///   - failed: gets what can't be read, also by the closure; it keeps nothing else from being visited.
    /// - Throws: ``FileStorageError`` if the outermost directory can't be read. What else the closure throws.
    func visitDirectories(
        _ operation: String,
        in leaves: Range<Int> = FanOut.leaves,
        failed: (FileStorageError) -> Void,
        _ visit: (borrowing Descriptor, String, String) throws -> Void
    ) throws {
        // Says what is wrong with the directory as a whole; that those below are missing is no fault.
        let root = try places.openRoot(operation)
        for (outerIndex, outer) in FanOut.digits.enumerated() {
            let first = outerIndex * FanOut.digits.count
            guard leaves.overlaps(first..<first + FanOut.digits.count) else { continue }
            try Self.goingOn(failed) {
                let middle = try root.openDirectory(outer, operation)
                places.access.settle(middle, in: root)
                for (innerIndex, inner) in FanOut.digits.enumerated() where leaves.contains(first + innerIndex) {
                    try Self.goingOn(failed) {
                        let directory = try middle.openDirectory(inner, operation)
                        places.access.settle(directory, in: middle)
                        try visit(directory, outer, inner)
                    }
                }
            }
        }
    }

    func entries(
        of directory: borrowing Descriptor,
        _ outer: String,
        _ inner: String,
        _ operation: String,
        _ cancellation: Cancellation,
        failed: (FileStorageError) -> Void
    ) throws -> [DirectoryEntry] {
        var entries: [DirectoryEntry] = []
        for name in try directory.names(operation) {
            try cancellation.check()
            try Self.goingOn(failed) {
                let status = try directory.status(of: name, operation)
                if name == DirectoryLock.name, status.isRegular {
                    places.access.settle(name, status, in: directory)
                    return
                }
                entries.append(DirectoryEntry(name: name, outer: outer, inner: inner, status: status))
            }
        }
        return entries
    }

    /// Runs a closure; what it can't read is told, unless it isn't there at all.
    private static func goingOn(_ failed: (FileStorageError) -> Void, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as FileStorageError {
            if error.code != .missing { failed(error) }
        }
    }
}
