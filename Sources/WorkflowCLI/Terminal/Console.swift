import Dispatch
import Foundation
import Synchronization

/// Standard output and standard error, written by a thread of their own in the order of the calls, so that a slow reader
/// at the other end of a pipe blocks nobody but those who choose to wait.
final class Console: Sendable {
    enum Stream: Sendable {
        case output
        case error
    }

    private let queue = DispatchQueue(label: "dramatiq-workflow.console")
    private let outputDescriptor: Int32
    private let errorDescriptor: Int32
    private let failure = Mutex<OutputError?>(nil)

    init(output: Int32 = STDOUT_FILENO, error: Int32 = STDERR_FILENO) {
        outputDescriptor = output
        errorDescriptor = error
    }

    /// Takes a text to be written after all that was taken before.
    func write(_ text: String, to stream: Stream = .output) {
        write(Array(text.utf8), to: stream)
    }

    /// Takes bytes to be written after all that was taken before.
    func write(_ bytes: [UInt8], to stream: Stream = .output) {
        queue.async {
            switch stream {
            case .output:
                guard self.failure.withLock({ $0 == nil }) else { return }
                if !Descriptor.writeAll(bytes, to: self.outputDescriptor) {
                    let code = errno
                    self.failure.withLock { $0 = OutputError(code: code) }
                }
            case .error:
                // Where should one say that this failed?
                _ = Descriptor.writeAll(bytes, to: self.errorDescriptor)
            }
        }
    }

    /// Takes a line to be written after all that was taken before.
    func writeLine(_ line: String = "", to stream: Stream = .output) {
        write(line + "\n", to: stream)
    }

    /// Waits until all that was taken is written.
    ///
    /// - Throws: ``OutputError`` if standard output has failed.
    func flush() async throws {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume() }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}

/// Standard output can't be written any more: a full disk, say.
struct OutputError: Error, CustomStringConvertible {
    let code: Int32

    var description: String { "Can't write to standard output: \(String(cString: strerror(code)))" }
}
