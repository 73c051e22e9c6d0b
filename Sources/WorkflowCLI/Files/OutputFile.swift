import CommandLineSupport
import Foundation

/// What a person has named to be written: a file, also by a symbolic link, a device or a pipe, or standard output.
/// Blocks.
enum OutputFile {
    /// A file is there as a whole or not at all; what a link leads to is written and not the link.
    ///
    /// - Parameter isPrivate: whether a new file is for its owner alone. Defaults to `false`.
    /// - Throws: ``FileError``.
    static func write(_ bytes: [UInt8], to path: FilePath, isPrivate: Bool = false) throws(FileError) {
        if path == .standardOutput { return try write(bytes, STDOUT_FILENO, path) }
        guard let link = try? path.statusOfLink() else {
            return try AtomicFile.write(bytes, to: path, isPrivate: isPrivate)
        }
        switch FileKind(try path.status()) {
        case .directory: throw FileError(operation: "write", path: path, reason: .isDirectory)
        case .regular: try AtomicFile.write(bytes, to: FileKind(link) == .link ? path.resolved() : path)
        case .link, .other:
            // To give a new file its name would take the device away.
            let descriptor = path.withCString { open($0, O_WRONLY | O_CLOEXEC) }
            guard descriptor >= 0 else { throw .lastCall("write", path) }
            defer { close(descriptor) }
            try write(bytes, descriptor, path)
        }
    }

    private static func write(_ bytes: [UInt8], _ descriptor: Int32, _ path: FilePath) throws(FileError) {
        guard Descriptor.writeAll(bytes, to: descriptor) else { throw .lastCall("write", path) }
    }
}
