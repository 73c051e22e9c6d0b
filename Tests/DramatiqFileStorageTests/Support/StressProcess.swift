import Foundation
import Synchronization

/// A process of `StorageStressTool`, whose output goes to a file.
final class StressProcess: Sendable {
    private static let tool: URL = {
        // Where the tests were built, the tool was built, too.
        #if os(macOS)
            let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") } ?? .main
            return bundle.bundleURL.deletingLastPathComponent().appending(path: "StorageStressTool")
        #else
            return URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
                .appending(path: "StorageStressTool")
        #endif
    }()

    private let process: Process
    private let output: String
    private let end = Mutex<(status: Int32?, waiter: CheckedContinuation<Void, Never>?)>((nil, nil))

    /// - Parameter tracer: a command that runs the tool instead, with its arguments.
    init(_ arguments: [String], output: String, tracer: [String] = []) throws {
        self.output = output
        try ScratchDirectory.write([], output)
        process = Process()
        process.executableURL = tracer.isEmpty ? Self.tool : URL(filePath: "/usr/bin/env")
        process.arguments = tracer.isEmpty ? arguments : tracer + [Self.tool.path] + arguments
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
        process.terminationHandler = { [weak self] process in
            self?.end.withLock { end in
                end.status = process.terminationStatus
                end.waiter?.resume()
            }
        }
        try process.run()
    }

    /// What it has written so far.
    var text: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
    }

    /// Waits for its end.
    ///
    /// - Returns: the exit code, or the signal that ended it.
    @discardableResult
    func wait() async -> Int32 {
        await withCheckedContinuation { continuation in
            end.withLock { end in
                if end.status != nil { continuation.resume() } else { end.waiter = continuation }
            }
        }
        return end.withLock { $0.status ?? -1 }
    }

    /// Runs one to its end and returns what it has written.
    static func run(
        _ arguments: [String],
        in scratch: ScratchDirectory,
        tracer: [String] = []
    ) async throws -> String {
        let process = try StressProcess(
            arguments, output: scratch.path + "/output-\(UUID().uuidString)", tracer: tracer)
        await process.wait()
        return process.text
    }
}
