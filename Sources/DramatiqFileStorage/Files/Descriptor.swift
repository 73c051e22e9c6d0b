#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file or directory, closed at the end of its life.
struct Descriptor: ~Copyable {
    private(set) var number: Int32
    /// By which errors call it.
    let path: String

    private init(number: Int32, path: String) {
        self.number = number
        self.path = path
    }

    deinit {
        if number >= 0 { _ = systemClose(number) }
    }

    /// Opens a path from the outside, and follows symbolic links in it.
    static func openDirectory(_ path: String, _ operation: String) throws(FileStorageError) -> Descriptor {
        let number = repeatInterrupted { systemOpen(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard number >= 0 else { throw .lastCall(operation, path) }
        return Descriptor(number: number, path: path)
    }

    /// Opens something in this directory. Never follows a symbolic link, and never waits for the other end of a pipe.
    /// What it makes is for its owner alone.
    func open(
        _ name: String,
        _ flags: Int32,
        _ operation: String
    ) throws(FileStorageError) -> Descriptor {
        let path = path + "/" + name
        let flags = flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let number = repeatInterrupted { openat(self.number, name, flags, 0o600) }
        guard number >= 0 else {
            let error = FileStorageError.lastCall(operation, path)
            // What the system says of links that it was told not to follow leads astray.
            guard error.code == .unusable, (try? status(of: name, operation).isLink) == true else { throw error }
            throw FileStorageError(.unusable, operation, path, "It is a symbolic link, which is not followed here")
        }
        return Descriptor(number: number, path: path)
    }

    func openDirectory(_ name: String, _ operation: String) throws(FileStorageError) -> Descriptor {
        try open(name, O_RDONLY | O_DIRECTORY, operation)
    }

    // MARK: What it is

    func status(_ operation: String) throws(FileStorageError) -> FileStatus {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw .lastCall(operation, path) }
        return FileStatus(status)
    }

    /// What a name in this directory stands for; a symbolic link for itself.
    func status(of name: String, _ operation: String) throws(FileStorageError) -> FileStatus {
        var status = stat()
        guard fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw .lastCall(operation, path + "/" + name)
        }
        return FileStatus(status)
    }

    /// The names in this directory, in no order. One that is not UTF-8 is none of ours.
    func names(_ operation: String) throws(FileStorageError) -> [String] {
        // A number of its own, since the stream has a position and closes what it is given.
        let number = repeatInterrupted { openat(self.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard number >= 0 else { throw .lastCall(operation, path) }
        guard let stream = fdopendir(number) else {
            let error = FileStorageError.lastCall(operation, path)
            _ = systemClose(number)
            throw error
        }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(validatingCString: $0) }
            }
            if let name, name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .lastCall(operation, path) }
        return names
    }

    // MARK: Content

    /// Reads from the beginning up to a size, or to the end if that comes first.
    func read(upTo size: Int, _ operation: String) throws(FileStorageError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let length = repeatInterrupted {
                    systemRead(number, buffer.baseAddress.map { $0 + count }, size - count)
                }
                if length < 0 { failure = errno }
                if length <= 0 { return }
                count += length
            }
        }
        guard failure == 0 else { throw FileStorageError(systemError: failure, operation, path) }
        return bytes
    }

    /// Writes all bytes, however often the system has to be asked.
    func write(_ bytes: [UInt8], _ operation: String) throws(FileStorageError) {
        let isWritten = bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let length = repeatInterrupted {
                    systemWrite(number, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                }
                guard length >= 0 else { return false }
                rest = rest.dropFirst(length)
            }
            return true
        }
        guard isWritten else { throw .lastCall(operation, path) }
    }

    /// Gives the file the time of its file system as its date of modification.
    func setModifiedNow(_ operation: String) throws(FileStorageError) {
        guard futimens(number, nil) == 0 else { throw .lastCall(operation, path) }
    }

    /// Gives the file a date of modification. Only its owner can.
    func setModified(_ date: FileDate, _ operation: String) throws(FileStorageError) {
        let times = [date.time, date.time]
        guard futimens(number, times) == 0 else { throw .lastCall(operation, path) }
    }

    /// Waits until the content, or a directory's names, are on the disk.
    func synchronize(_ operation: String) throws(FileStorageError) {
        #if canImport(Darwin)
            // Darwin's fsync leaves data in the drive's cache. Not all file systems have the other.
            if fcntl(number, F_FULLFSYNC) == 0 { return }
        #endif
        // Some file systems can't do it with directories, which they say with EINVAL.
        guard repeatInterrupted({ fsync(number) }) == 0 || errno == EINVAL else { throw .lastCall(operation, path) }
    }

    /// Closes it. Network file systems say only now that the disk was full.
    consuming func close(_ operation: String) throws(FileStorageError) {
        let result = systemClose(number)
        number = -1
        guard result == 0 || errno == EINTR else { throw .lastCall(operation, path) }
    }
}

/// Calls the system again for as long as signals interrupt it.
func repeatInterrupted<Result: FixedWidthInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

// Inside the type its own `open`, `read`, `write` and `close` hide those of the C library.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
private func systemClose(_ number: Int32) -> Int32 { close(number) }
private func systemRead(_ number: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(number, buffer, count)
}
private func systemWrite(_ number: Int32, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
    write(number, buffer, count)
}
