import Dramatiq
import DramatiqWorkflow

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Removes old files from a directory. Blocks.
///
/// Finds those that look old without keeping anybody waiting, and then looks at each again under the lock; see
/// ``ContentFiles`` for why no file can be lost that somebody has just been given a reference to.
struct DirectorySweep: Sendable {
    /// How many files are removed before writers get a turn.
    private static let batchSize = 64
    /// Nobody takes that long to write a file. Who does (a machine that slept) writes it again.
    static let temporaryAge = Duration.seconds(3600)

    let files: ContentFiles
    let age: Duration
    let isDryRun: Bool
    /// For how long to wait for the lock of a directory.
    let lockTimeout: Duration

    func run(_ cancellation: Cancellation) throws -> SweepReport {
        var report = SweepReport(isDryRun: isDryRun)
        var wait = LockWait(timeout: lockTimeout, cancellation: cancellation, access: files.places.access)
        try files.visitDirectories("sweep") {
            report.fail($0)
        } _: { directory, outer, inner in
            try cancellation.check()
            let entries = try files.entries(of: directory, outer, inner, "sweep", cancellation) { report.fail($0) }
            try sweep(directory, entries, &report, &wait)
        }
        return report
    }

    /// Removes one file if it still is old.
    ///
    /// - Returns: whether it was removed.
    /// - Throws: ``FileStorageError``, `CancellationError`.
    func remove(_ digest: ContentDigest, _ cancellation: Cancellation) throws -> Bool {
        let wait = LockWait(timeout: lockTimeout, cancellation: cancellation, access: files.places.access)
        do throws(FileStorageError) {
            let directory = try files.places.open(digest, "sweep")
            let (outer, inner) = digest.fanOut
            let status = try directory.status(of: digest.hexadecimal, "sweep")
            let entry = DirectoryEntry(name: digest.hexadecimal, outer: outer, inner: inner, status: status)
            // Nobody is kept waiting for what isn't old.
            guard isOld(entry, status, .now) else { return false }
            return try DirectoryLock.hold(.exclusive, in: directory, wait, "sweep") { lock throws(FileStorageError) in
                try remove(entry, directory, at: lock.now("sweep"))
            }
        } catch {
            if error.code == .missing { return false }
            throw error
        }
    }

    func sweep(
        _ directory: borrowing Descriptor,
        _ entries: [DirectoryEntry],
        _ report: inout SweepReport,
        _ wait: inout LockWait
    ) throws {
        let now = FileDate.now
        var old: [DirectoryEntry] = []
        for entry in entries {
            if isOld(entry, entry.status, now) { old.append(entry) } else { report.keep(entry) }
        }
        if isDryRun {
            for entry in old { report.remove(entry) }
            return
        }
        // Files of earlier versions of this package, whoever may have read them until now.
        for entry in entries { files.places.access.settle(entry.name, entry.status, in: directory) }
        while !old.isEmpty {
            try wait.cancellation.check()
            do throws(FileStorageError) {
                try remove(old.prefix(Self.batchSize), directory, &report, wait)
            } catch {
                // The lock can't be had here; there are other directories. Who doesn't let go of one may hold them all.
                if error.code == .locked { wait = wait.shortened(to: .zero) }
                return report.fail(error)
            }
            old.removeFirst(min(Self.batchSize, old.count))
        }
    }

    private func remove(
        _ entries: ArraySlice<DirectoryEntry>,
        _ directory: borrowing Descriptor,
        _ report: inout SweepReport,
        _ wait: LockWait
    ) throws(FileStorageError) {
        try DirectoryLock.hold(.exclusive, in: directory, wait, "sweep") { lock throws(FileStorageError) in
            let now = try lock.now("sweep")
            for entry in entries {
                do throws(FileStorageError) {
                    if try remove(entry, directory, at: now) { report.remove(entry) } else { report.keep(entry) }
                } catch {
                    // Missing: another sweep was here, or the writer has given the file its name.
                    if error.code != .missing { report.fail(error) }
                }
            }
        }
    }

    /// Removes a file unless it isn't old any more, under the directory's lock.
    private func remove(
        _ entry: DirectoryEntry,
        _ directory: borrowing Descriptor,
        at now: FileDate
    ) throws(FileStorageError) -> Bool {
        // Opened and not only looked up: that is when a network file system asks its server.
        let status = try directory.open(entry.name, O_RDONLY, "sweep").status("sweep")
        guard isOld(entry, status, now) else { return false }
        guard unlinkat(directory.number, entry.name, 0) == 0 else {
            throw FileStorageError.lastCall("sweep", directory.path + "/" + entry.name)
        }
        return true
    }

    private func isOld(_ entry: DirectoryEntry, _ status: FileStatus, _ now: FileDate) -> Bool {
        switch entry.kind {
        case .content: now - status.modified > age
        case .temporary: now - status.modified > min(age, Self.temporaryAge)
        case .foreign, .irregular: false
        }
    }
}
