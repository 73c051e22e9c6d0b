#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps those who add to a directory or renew a file's age apart from the one who removes old files from it.
///
/// The system drops the lock when a process ends, however it does. Readers need none.
struct DirectoryLock: ~Copyable {
    enum Kind {
        /// To add files and to renew their age, with any number of others who do.
        case shared
        /// To remove files, alone.
        case exclusive
    }

    /// The file that is locked; it is never removed.
    static let name = ".lock"

    private let file: Descriptor

    /// Waits for the lock, which nobody holds for longer than it takes to look at a few files, and holds it while a
    /// closure runs.
    ///
    /// - Throws: ``FileStorageError``, also if the file system has no locks.
    static func hold<Result: ~Copyable>(
        _ kind: Kind,
        in directory: borrowing Descriptor,
        _ operation: String,
        _ body: (borrowing DirectoryLock) throws(FileStorageError) -> Result
    ) throws(FileStorageError) -> Result {
        let lock = DirectoryLock(file: try directory.open(Self.name, O_RDWR | O_CREAT, operation))
        let mode = kind == .shared ? LOCK_SH : LOCK_EX
        guard repeatInterrupted({ flock(lock.file.number, mode) }) == 0 else {
            throw .lastCall(operation, lock.file.path)
        }
        // Said, and not left to the closing of the file: its end of life must not come before the closure's end.
        defer { _ = flock(lock.file.number, LOCK_UN) }
        return try body(lock)
    }

    /// The time by the clock of the file system, which may be another machine's.
    func now(_ operation: String) throws(FileStorageError) -> FileDate {
        try file.setModifiedNow(operation)
        return try file.status(operation).modified
    }
}
