package import Dramatiq
import Foundation

/// The regular files below a directory.
package struct FileTree: Sendable {
    package struct File: Sendable {
        /// From the directory on.
        package let path: FilePath
        package let size: Int
        package let identity: FileIdentity
    }

    package struct Skipped: Sendable {
        package let path: FilePath
        package let reason: FileError.Reason
    }

    /// A name in a directory, whatever path leads there.
    package struct Place: Hashable, Sendable {
        let directory: FileIdentity
        let name: FilePath

        package init(directory: FileIdentity, name: FilePath) {
            self.directory = directory
            self.name = name
        }
    }

    /// In the order of their paths.
    package let files: [File]
    /// Symbolic links, which are not followed, in the order of their paths.
    package let links: [FilePath]
    /// What could not be read, in the order of the paths.
    package let skipped: [Skipped]

    package var totalSize: Int { files.reduce(0) { $0 + $1.size } }

    /// Looks through a directory, which may be given by a symbolic link, and those in it. Does not follow the links in
    /// it. Blocks.
    ///
    /// - Parameter excluded: files to leave out.
    /// - Throws: ``FileError`` if the directory itself can't be read, `CancellationError`.
    package init(
        of root: FilePath,
        excluding excluded: Set<Place> = [],
        _ cancellation: Cancellation
    ) throws {
        var files: [File] = []
        var links: [FilePath] = []
        var skipped: [Skipped] = []
        // Directories are kept here and not in the call stack, since nesting can be deep.
        var directories = [FilePath("")]
        while let directory = directories.popLast() {
            do throws(FileError) {
                let (entries, identity) = try Self.entries(of: directory, in: root)
                for name in entries where !excluded.contains(Place(directory: identity, name: name)) {
                    let path = directory.appending(name)
                    do throws(FileError) {
                        let status = try root.appending(path).statusOfLink()
                        switch FileKind(status) {
                        case .regular:
                            close(try FileContent.open(path, in: root))
                            files.append(
                                File(path: path, size: Int(status.st_size), identity: FileIdentity(status)))
                        case .directory: directories.append(path)
                        case .link: links.append(path)
                        case .other: break
                        }
                    } catch {
                        skipped.append(Skipped(path: path, reason: error.reason))
                    }
                }
            } catch {
                if directory.bytes.isEmpty { throw error }
                skipped.append(Skipped(path: directory, reason: error.reason))
            }
            try cancellation.check()
        }
        self.links = links.sorted()
        self.files = files.sorted { $0.path < $1.path }
        self.skipped = skipped.sorted { $0.path < $1.path }
    }

    /// The names in a directory, and which directory that was.
    private static func entries(
        of directory: FilePath,
        in root: FilePath
    ) throws(FileError) -> ([FilePath], FileIdentity) {
        let path = root.appending(directory)
        let follows = directory.bytes.isEmpty ? 0 : O_NOFOLLOW
        let descriptor = path.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follows) }
        guard descriptor >= 0 else { throw .lastCall("read", path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, let stream = fdopendir(descriptor) else {
            let error = FileError.lastCall("read", path)
            close(descriptor)
            throw error
        }
        // Closes the descriptor as well.
        defer { closedir(stream) }
        var names: [FilePath] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { FilePath(bytes: $0.prefix { $0 != 0 }) }
            if name != FilePath("."), name != FilePath("..") { names.append(name) }
        }
        guard errno == 0 else { throw .lastCall("read", path) }
        return (names, FileIdentity(status))
    }
}
