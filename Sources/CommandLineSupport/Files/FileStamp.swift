package import Foundation

/// What tells a file's content from a later one without reading it.
package struct FileStamp: Sendable, Hashable {
    package let identity: FileIdentity
    package let size: Int
    private let seconds: Int
    private let nanoseconds: Int

    package init(_ status: stat) {
        identity = FileIdentity(status)
        size = Int(status.st_size)
        #if canImport(Darwin)
            let modification = status.st_mtimespec
        #else
            let modification = status.st_mtim
        #endif
        seconds = Int(modification.tv_sec)
        nanoseconds = Int(modification.tv_nsec)
    }
}

/// What a file or a directory is, whatever path leads to it.
package struct FileIdentity: Sendable, Hashable {
    private let device: UInt64
    private let inode: UInt64

    package init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }
}

/// The kinds of file that are told apart here.
package enum FileKind {
    case regular
    case directory
    /// A symbolic link, where links are not followed.
    case link
    case other

    package init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: self = .regular
        case S_IFDIR: self = .directory
        case S_IFLNK: self = .link
        default: self = .other
        }
    }
}

extension FilePath {
    /// What the path leads to, symbolic links followed.
    package func status() throws(FileError) -> stat {
        var status = stat()
        guard withCString({ stat($0, &status) }) == 0 else { throw .lastCall("find", self) }
        return status
    }

    /// What the path names, which may be a symbolic link.
    package func statusOfLink() throws(FileError) -> stat {
        var status = stat()
        guard withCString({ lstat($0, &status) }) == 0 else { throw .lastCall("find", self) }
        return status
    }

    /// The absolute path without symbolic links.
    package func resolved() throws(FileError) -> FilePath {
        guard let resolved = withCString({ realpath($0, nil) }) else { throw .lastCall("find", self) }
        defer { free(resolved) }
        return FilePath(
            bytes: UnsafeBufferPointer(start: resolved, count: strlen(resolved)).map(UInt8.init(bitPattern:)))
    }
}
