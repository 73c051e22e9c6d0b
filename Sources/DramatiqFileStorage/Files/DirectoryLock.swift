import Dramatiq

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How somebody waits for a directory's lock.
struct LockWait {
    /// The first pause between two attempts, and the longest.
    private static let pauses = Duration.microseconds(200)...Duration.milliseconds(10)

    /// For how long; nobody is told when a lock is given up, so it is tried again and again.
    let timeout: Duration
    /// Ends the wait.
    let cancellation: Cancellation
    /// Who may open the lock.
    let access: StorageAccess

    /// The same for no longer than a time.
    func shortened(to timeout: Duration) -> LockWait {
        LockWait(timeout: min(timeout, self.timeout), cancellation: cancellation, access: access)
    }

    /// Locks a file. Blocks, but never in the system, where a thread could not be called back from.
    ///
    /// - Throws: ``FileStorageError`` with the code `locked` if the time is over or the wait was cancelled.
    fileprivate func lock(
        _ file: borrowing Descriptor,
        _ mode: Int32,
        _ operation: String
    ) throws(FileStorageError) {
        let deadline = ContinuousClock.now + min(timeout, .seconds(365 * 86_400))
        var pause = Self.pauses.lowerBound
        while repeatInterrupted({ flock(file.number, mode | LOCK_NB) }) != 0 {
            guard errno == EWOULDBLOCK else { throw .lastCall(operation, file.path) }
            guard !cancellation.isCancelled, ContinuousClock.now < deadline else {
                throw FileStorageError(
                    .locked, operation, file.path, "Another process has held this lock for longer than \(timeout)")
            }
            usleep(UInt32(pause / .microseconds(1)))
            pause = min(pause * 2, Self.pauses.upperBound)
        }
    }
}

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
    /// - Throws: ``FileStorageError``, also if the file system has no locks, and with the code `locked` if somebody holds
    ///   it for too long.
    static func hold<Result: ~Copyable>(
        _ kind: Kind,
        in directory: borrowing Descriptor,
        _ wait: LockWait,
        _ operation: String,
        _ body: (borrowing DirectoryLock) throws(FileStorageError) -> Result
    ) throws(FileStorageError) -> Result {
        let lock = DirectoryLock(file: try open(in: directory, wait.access, operation))
        try wait.lock(lock.file, kind == .shared ? LOCK_SH : LOCK_EX, operation)
        // Said, and not left to the closing of the file: its end of life must not come before the closure's end.
        defer { _ = flock(lock.file.number, LOCK_UN) }
        return try body(lock)
    }

    /// Whoever can open the file, be it only for reading, can hold the lock.
    private static func open(
        in directory: borrowing Descriptor,
        _ access: StorageAccess,
        _ operation: String
    ) throws(FileStorageError) -> Descriptor {
        do throws(FileStorageError) {
            return try use(directory.open(name, O_RDWR, operation), in: directory, access, operation)
        } catch {
            guard error.code == .missing else { throw error }
        }
        if let file = try? directory.open(name, O_RDWR | O_CREAT | O_EXCL, operation) {
            access.settle(file, in: directory, isNew: true)
            return file
        }
        // Somebody was faster, or this says what is wrong.
        return try use(directory.open(name, O_RDWR | O_CREAT, operation), in: directory, access, operation)
    }

    private static func use(
        _ file: consuming Descriptor,
        in directory: borrowing Descriptor,
        _ access: StorageAccess,
        _ operation: String
    ) throws(FileStorageError) -> Descriptor {
        guard try file.status(operation).isRegular else {
            throw .notRegular(operation, file.path)
        }
        access.settle(file, in: directory)
        return file
    }

    /// The time by the clock of the file system, which may be another machine's.
    func now(_ operation: String) throws(FileStorageError) -> FileDate {
        try file.setModifiedNow(operation)
        return try file.status(operation).modified
    }
}
