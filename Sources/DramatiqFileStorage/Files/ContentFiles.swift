import DramatiqWorkflow

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Stores contents in files that are named by their digest, and reads them. Blocks.
///
/// # Why nothing is lost between a writer and a sweep
///
/// A reference is given out for a content that is stored anew, and for one that is there already (a hit), whose file is
/// as old as it may be: a sweep could be about to remove it. So both happen under the directory's lock:
///
/// - A writer holds it *shared* while it gives a file the date of now and the name is there: for a hit from opening the
///   file by its name until its date is set, for a new file from setting its date until it has the name.
/// - A sweep holds it *exclusively* while it looks at a file's date once more and removes the name.
///
/// The two sections never overlap. If the writer's comes first, the sweep finds a date that is younger than its limit
/// and leaves the file. If the sweep's comes first, the writer finds no file and stores it anew. Either way the name
/// stands for the whole content when the reference is returned, and nobody removes it before its age is over again. A
/// process that is killed inside gives up its lock and leaves at most a file that nobody was given a reference to.
///
/// Readers take no lock: a name either stands for a whole file or isn't there, and a file that was opened stays readable
/// after its name is removed. Dates come from the file system's clock alone, so machines need not agree on the time.
struct ContentFiles: Sendable {
    /// Begins the names of files that are being written.
    static let temporaryPrefix = ".tmp-"
    /// An age up to which a file's date is not worth renewing when it is read.
    static let renewalInterval = Duration.seconds(3600)
    /// For how long a reader waits to renew a file's date: it can do without.
    static let patienceOfReaders = Duration.milliseconds(250)
    /// How often a file is written anew whose temporary one was removed: only a sweep does that, to one an hour old.
    private static let attempts = 3

    let places: FanOut
    let format: ContentFormat

    // MARK: Storing

    /// Stores a content, or finds out that it is there and renews its age.
    ///
    /// - Throws: ``FileStorageError``, or what the compressor throws.
    func store(_ content: [UInt8], _ wait: LockWait) throws -> ContentDigest {
        guard content.count <= format.maxSize else {
            throw FileStorageError(format.tooLarge(content.count), "store", places.root)
        }
        let digest = ContentDigest(of: content)
        var file: [UInt8]?
        for attempt in 1... {
            let directory = try places.openOrMake(digest, "store")
            if try isThere(digest, directory, wait) { break }
            let bytes = try file ?? format.encode(content)
            file = bytes
            do throws(FileStorageError) {
                try write(bytes, digest, directory, wait)
                break
            } catch {
                guard error.code == .missing, attempt < Self.attempts else { throw error }
            }
        }
        return digest
    }

    /// Whether a content is there, whole and fresh. One that isn't whole is as good as none.
    private func isThere(
        _ digest: ContentDigest,
        _ directory: borrowing Descriptor,
        _ wait: LockWait
    ) throws(FileStorageError) -> Bool {
        // Most contents are new; for those the lock is taken once, later.
        guard (try? directory.status(of: digest.hexadecimal, "store")) != nil else { return false }
        let file: Descriptor
        do throws(FileStorageError) {
            file = try DirectoryLock.hold(.shared, in: directory, wait, "store") { _ throws(FileStorageError) in
                let file = try directory.open(digest.hexadecimal, O_RDONLY, "store")
                places.access.settle(file, in: directory)
                _ = try content(of: file, digest)
                if try file.status("store").modified <= .now { try file.setModifiedNow("store") }
                return file
            }
        } catch {
            if error.code == .locked { throw error }
            // A file that can't be read or whose date can't be set, say another user's, is replaced by an own one. What
            // makes that impossible, too, is what the caller is told.
            return false
        }
        // Who wrote it may not have come to this yet, or not have wanted to.
        try synchronize(file)
        try synchronize(directory)
        return true
    }

    private func write(
        _ bytes: [UInt8],
        _ digest: ContentDigest,
        _ directory: borrowing Descriptor,
        _ wait: LockWait
    ) throws(FileStorageError) {
        let temporary = "\(Self.temporaryPrefix)\(getpid())-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let file = try directory.open(temporary, O_WRONLY | O_CREAT | O_EXCL, "store")
        do throws(FileStorageError) {
            places.access.settle(file, in: directory, isNew: true)
            try file.write(bytes, "store")
            try synchronize(file)
            try file.close("store")
            try DirectoryLock.hold(.shared, in: directory, wait, "store") { _ throws(FileStorageError) in
                guard utimensat(directory.number, temporary, nil, AT_SYMLINK_NOFOLLOW) == 0,
                    renameat(directory.number, temporary, directory.number, digest.hexadecimal) == 0
                else { throw .lastCall("store", directory.path + "/" + digest.hexadecimal) }
            }
        } catch {
            _ = unlinkat(directory.number, temporary, 0)
            throw error
        }
        try synchronize(directory)
    }

    private func synchronize(_ descriptor: borrowing Descriptor) throws(FileStorageError) {
        if places.durability == .powerFailure { try descriptor.synchronize("store") }
    }

    // MARK: Reading

    /// The content with a digest, whose age is renewed if that is worth it.
    func load(_ digest: ContentDigest, _ wait: LockWait) throws(FileStorageError) -> [UInt8] {
        let content: [UInt8]
        let age: Duration
        do throws(FileStorageError) {
            let directory = try places.open(digest, "load")
            let file = try directory.open(digest.hexadecimal, O_RDONLY, "load")
            places.access.settle(file, in: directory)
            content = try self.content(of: file, digest)
            age = FileDate.now - (try file.status("load").modified)
        } catch {
            throw error.naming(places.path(of: digest))
        }
        // Who may only read can do nothing about the age.
        if age > Self.renewalInterval { try? renew(digest, wait.shortened(to: Self.patienceOfReaders)) }
        return content
    }

    /// Makes a file as young as if it was stored now, or will be stored after a wait: its date lies in the future then.
    /// A file that is younger stays so.
    ///
    /// - Throws: ``FileStorageError``, with the code `missing` if it is not there.
    func renew(
        _ digest: ContentDigest,
        for duration: Duration = .zero,
        _ wait: LockWait
    ) throws(FileStorageError) {
        do throws(FileStorageError) {
            let directory = try places.open(digest, "renew")
            var age = Duration.zero
            // A date in the future is not set beside others that may have looked at the one before.
            let kind = duration > .zero ? DirectoryLock.Kind.exclusive : .shared
            let file = try DirectoryLock.hold(kind, in: directory, wait, "renew") { _ throws(FileStorageError) in
                let file = try directory.open(digest.hexadecimal, O_RDONLY, "renew")
                let (now, modified) = (FileDate.now, try file.status("renew").modified)
                age = now - modified
                if duration > .zero {
                    if modified < now + duration { try file.setModified(now + duration, "renew") }
                } else if modified <= now {
                    try file.setModifiedNow("renew")
                }
                return file
            }
            // A loss of power may bring an hour back, for which the ages that sweeps use have a margin; not more.
            if age > Self.renewalInterval { try synchronize(file) }
        } catch {
            throw error.code == .locked ? error : error.naming(places.path(of: digest))
        }
    }

    /// What is wrong with a file, if anything.
    func problem(with digest: ContentDigest, in directory: borrowing Descriptor) -> FileStorageError? {
        do throws(FileStorageError) {
            let file = try directory.open(digest.hexadecimal, O_RDONLY, "load")
            places.access.settle(file, in: directory)
            _ = try content(of: file, digest)
            return nil
        } catch {
            return error
        }
    }

    func content(of file: borrowing Descriptor, _ digest: ContentDigest) throws(FileStorageError) -> [UInt8] {
        let status = try file.status("load")
        guard status.isRegular else {
            throw .notRegular("load", file.path)
        }
        guard status.size - ContentFormat.maxHeaderSize <= format.maxSize else {
            throw FileStorageError(
                .tooLarge, "load", file.path, "The file has \(status.size) bytes, the limit is \(format.maxSize)")
        }
        let bytes = try file.read(upTo: status.size, "load")
        let content: [UInt8]
        do {
            content = try format.decode(bytes)
        } catch {
            throw FileStorageError(error, "load", file.path)
        }
        guard ContentDigest(of: content) == digest else {
            throw FileStorageError(.corrupt, "load", file.path, "The content is not what was stored")
        }
        return content
    }
}

extension FileStorageError {
    /// The same error with the whole path, for a directory on the way to it that could not be opened.
    fileprivate func naming(_ path: String) -> FileStorageError {
        FileStorageError(code, operation, path, reason)
    }
}
