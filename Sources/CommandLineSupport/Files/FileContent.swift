package import Dramatiq
import Foundation

/// Reads files in chunks, with the same small memory for a file of any size. Blocks.
package enum FileContent {
    package static let chunkSize = 1 << 16

    /// Reads a regular file from its beginning to its end.
    ///
    /// - Parameters:
    ///   - path: its path from `root`.
    ///   - take: gets one chunk after the other; an empty file has none.
    /// - Returns: what the content that was read can be told from a later one by.
    /// - Throws: ``FileError``, also if the file changed meanwhile. `CancellationError`. What `take` throws.
    package static func read(
        _ path: FilePath,
        in root: FilePath,
        _ cancellation: Cancellation,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> FileStamp {
        let descriptor = try open(path, in: root)
        defer { close(descriptor) }
        let whole = root.appending(path)
        let stamp = try stamp(of: descriptor, whole)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 16)
        defer { buffer.deallocate() }
        var count = 0
        while true {
            try cancellation.check()
            let length = Self.read(descriptor, buffer)
            guard length >= 0 else { throw FileError.lastCall("read", whole) }
            if length == 0 { break }
            count += length
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
        }
        guard count == stamp.size, try Self.stamp(of: descriptor, whole) == stamp else {
            throw FileError(operation: "read", path: whole, reason: .changedMeanwhile)
        }
        return stamp
    }

    /// The whole content of a file that fits into memory.
    package static func all(of path: FilePath, _ cancellation: Cancellation) throws -> [UInt8] {
        var bytes: [UInt8] = []
        _ = try read(path, in: FilePath(""), cancellation) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Opens a regular file, and nothing that a path may lead to instead by now: a symbolic link is an error, and a
    /// pipe doesn't block.
    package static func open(_ path: FilePath, in root: FilePath) throws(FileError) -> Int32 {
        let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let whole = root.appending(path)
        while true {
            let descriptor = whole.withCString { systemOpen($0, flags) }
            if descriptor >= 0 { return descriptor }
            guard errno == EINTR else { throw .lastCall("read", whole) }
        }
    }

    private static func stamp(of descriptor: Int32, _ path: FilePath) throws(FileError) -> FileStamp {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .lastCall("read", path) }
        guard case .regular = FileKind(status) else {
            throw FileError(operation: "read", path: path, reason: .notRegularFile)
        }
        return FileStamp(status)
    }

    private static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let length = systemRead(descriptor, buffer.baseAddress, buffer.count)
            guard length < 0, errno == EINTR else { return length }
        }
    }
}

// Inside the type its own `open` and `read` hide those of the C library.
private func systemOpen(_ path: UnsafePointer<CChar>, _ flags: Int32) -> Int32 { open(path, flags) }
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
