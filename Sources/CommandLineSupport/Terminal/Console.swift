import ArgumentParser
import Dispatch
import Dramatiq
import Foundation
import Synchronization

/// Standard output and standard error, written by a thread of their own in the order of the calls, so that a slow reader
/// at the other end of a pipe blocks nobody but those who choose to wait.
package final class Console: Sendable {
    package enum Stream: Sendable {
        case output
        case error
    }

    private let queue = DispatchQueue(label: "dramatiq-workflow.console")
    private let outputDescriptor: Int32
    private let errorDescriptor: Int32
    private let failure = Mutex<OutputError?>(nil)
    private let waiting = Mutex(Waiting())

    /// Those who wait until what they gave is written.
    private struct Waiting {
        var isGivenUp = false
        var lastID = 0
        var continuations: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    package init(output: Int32 = STDOUT_FILENO, error: Int32 = STDERR_FILENO) {
        outputDescriptor = output
        errorDescriptor = error
    }

    /// Takes a text to be written after all that was taken before.
    package func write(_ text: String, to stream: Stream = .output) {
        write(Array(text.utf8), to: stream)
    }

    /// Takes bytes to be written after all that was taken before.
    package func write(_ bytes: [UInt8], to stream: Stream = .output) {
        queue.async {
            switch stream {
            case .output:
                guard self.failure.withLock({ $0 == nil }) else { return }
                if !Descriptor.writeAll(bytes, to: self.outputDescriptor) {
                    let code = errno
                    self.failure.withLock { $0 = .system(code) }
                }
            case .error:
                // Where should one say that this failed?
                _ = Descriptor.writeAll(bytes, to: self.errorDescriptor)
            }
        }
    }

    /// Takes a line to be written after all that was taken before.
    package func writeLine(_ line: String = "", to stream: Stream = .output) {
        write(line + "\n", to: stream)
    }

    /// Waits until all that was taken is written, or nobody waits any more.
    ///
    /// - Throws: ``OutputError`` if standard output has failed.
    package func flush() async throws {
        await withCheckedContinuation { continuation in
            let id = waiting.withLock { waiting -> Int? in
                guard !waiting.isGivenUp else { return nil }
                waiting.lastID += 1
                waiting.continuations[waiting.lastID] = continuation
                return waiting.lastID
            }
            guard let id else { return continuation.resume() }
            queue.async { self.waiting.withLock { $0.continuations.removeValue(forKey: id) }?.resume() }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    /// Lets nobody wait after a time, for a program that was told to end and whose reader may never read again.
    package func giveUp(after patience: Duration) {
        DispatchQueue.global().asyncAfter(deadline: .now() + patience / .seconds(1)) {
            let continuations = self.waiting.withLock { waiting in
                waiting.isGivenUp = true
                defer { waiting.continuations = [:] }
                return waiting.continuations
            }
            for continuation in continuations.values { continuation.resume() }
        }
    }
}

extension Console {
    /// The most problems that are told one by one.
    private static let problemLimit = 1000
    /// The most bytes of each.
    private static let problemSize = 16_384

    /// Says on standard error what had to be left out, a line for each.
    ///
    /// - Parameters:
    ///   - problems: what it was, and why.
    ///   - count: how many there are, if not all are known.
    /// - Throws: `ExitCode.failure` if there is any; ``OutputError``.
    package func finish(_ problems: [String], count: Int? = nil) async throws {
        let count = count ?? problems.count
        let told = problems.prefix(Self.problemLimit)
        for problem in told { writeLine(PrintableText.escape(problem, limit: Self.problemSize), to: .error) }
        if count > told.count { writeLine("… and \(count - told.count) more", to: .error) }
        try await flush()
        if count > 0 { throw ExitCode.failure }
    }
}

/// Why standard output doesn't get what there is.
package enum OutputError: Error, CustomStringConvertible {
    /// It can't be written any more, which is what the system says (`errno`): a full disk, say.
    case system(Int32)
    /// It is a terminal, and what there is would change its state.
    case notForTerminal

    package var description: String {
        switch self {
        case .system(let code): "Can't write to standard output: \(String(cString: strerror(code)))"
        case .notForTerminal: "Compressed bytes are not for a terminal: write them to a file or a pipe"
        }
    }
}
