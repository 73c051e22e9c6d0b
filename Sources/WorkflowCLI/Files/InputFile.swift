import CommandLineSupport
import Dramatiq
import Foundation

/// What a person has named to be read: a file of any kind, also by a symbolic link, the pipe that a shell makes of
/// `<(…)`, or standard input. Blocks.
enum InputFile {
    /// - Parameter limit: the most bytes to take: how much comes out of a pipe is known at its end.
    /// - Throws: ``FileError``, `CancellationError`.
    static func read(_ path: FilePath, limit: Int, _ cancellation: Cancellation) throws -> [UInt8] {
        if path == .standardInput { return try read(STDIN_FILENO, path, limit, cancellation) }
        let descriptor = repeatInterrupted { path.withCString { open($0, O_RDONLY | O_CLOEXEC) } }
        guard descriptor >= 0 else { throw FileError.lastCall("read", path) }
        defer { close(descriptor) }
        return try read(descriptor, path, limit, cancellation)
    }

    private static func read(
        _ descriptor: Int32,
        _ path: FilePath,
        _ limit: Int,
        _ cancellation: Cancellation
    ) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: FileContent.chunkSize)
        while true {
            try cancellation.check()
            let count = repeatInterrupted { Foundation.read(descriptor, &chunk, chunk.count) }
            if count < 0, errno == EAGAIN {
                // Another program has made it non-blocking.
                var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&request, 1, 100)
                continue
            }
            guard count >= 0 else { throw FileError.lastCall("read", path) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                throw FileError(operation: "read", path: path, reason: .tooLarge(limit: limit))
            }
        }
    }

    /// The line with which a person answers on standard input; `nil` if there is nobody. A long one is cut: it is no
    /// answer.
    static func readAnswer(_ cancellation: Cancellation) throws -> String? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 1024 {
            try cancellation.check()
            let count = repeatInterrupted { Foundation.read(STDIN_FILENO, &byte, 1) }
            guard count >= 0 else { throw FileError.lastCall("read", .standardInput) }
            if count == 0, line.isEmpty { return nil }
            if count == 0 || byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    private static func repeatInterrupted<Result: FixedWidthInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }
}
