import Foundation

/// Writes files that are there as a whole or not at all. Blocks.
package enum AtomicFile {
    /// Writes a temporary file beside the path, and gives it the name once everything is on the disk. A file that is there
    /// already keeps its permissions.
    ///
    /// - Parameter isPrivate: whether a new file is for its owner alone, whatever the `umask`. Defaults to `false`.
    /// - Throws: ``FileError``; what was at the path before is still there then.
    package static func write(_ bytes: [UInt8], to path: FilePath, isPrivate: Bool = false) throws(FileError) {
        let temporary = path.parent.appending(
            FilePath(".\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"))
        let permissions = permissions(of: path)
        // Nobody else sees what is not to be seen in the end.
        let first: mode_t = isPrivate || permissions != nil ? 0o600 : 0o666
        let descriptor = temporary.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, first) }
        guard descriptor >= 0 else { throw .lastCall("write", path) }
        do throws(FileError) {
            try write(bytes, descriptor, permissions, path)
            let isMoved = temporary.withCString { from in path.withCString { rename(from, $0) } } == 0
            guard isMoved else { throw .lastCall("write", path) }
        } catch {
            _ = temporary.withCString { unlink($0) }
            throw error
        }
        try synchronizeDirectory(path.parent, path)
    }

    /// Those of a file that is there.
    private static func permissions(of path: FilePath) -> mode_t? {
        guard let status = try? path.statusOfLink(), FileKind(status) == .regular else { return nil }
        return status.st_mode & 0o777
    }

    private static func write(
        _ bytes: [UInt8],
        _ descriptor: Int32,
        _ permissions: mode_t?,
        _ path: FilePath
    ) throws(FileError) {
        let isPermitted = permissions.map { fchmod(descriptor, $0) == 0 } ?? true
        guard isPermitted, Descriptor.writeAll(bytes, to: descriptor), fsync(descriptor) == 0 else {
            let error = FileError.lastCall("write", path)
            close(descriptor)
            throw error
        }
        guard close(descriptor) == 0 else { throw .lastCall("write", path) }
    }

    /// Makes the new name itself durable.
    private static func synchronizeDirectory(_ directory: FilePath, _ path: FilePath) throws(FileError) {
        let descriptor = directory.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        // A directory that may be written and not read can't be opened; the file is there all the same.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // Some file systems can't do it, which they say with EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .lastCall("write", path) }
    }
}
