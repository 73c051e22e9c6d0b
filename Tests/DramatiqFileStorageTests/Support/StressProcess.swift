import Foundation
import TestSupport

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

    private let process: ChildProcess
    private let output: String

    /// - Parameter tracer: a command that runs the tool instead, with its arguments.
    init(_ arguments: [String], output: String, tracer: [String] = []) throws {
        self.output = output
        let command = tracer + [Self.tool.path] + arguments
        process = try ChildProcess(command[0], Array(command.dropFirst()), output: output)
    }

    /// What it has written so far.
    var text: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    /// Lets it stand still.
    func suspend() {
        process.suspend()
    }

    func kill() {
        process.kill()
    }

    /// Waits for its end.
    ///
    /// - Returns: the exit code, or the signal that ended it.
    @discardableResult
    func wait() async throws -> Int32 {
        try await process.wait()
    }

    /// Runs one to its end and returns what it has written.
    static func run(
        _ arguments: [String],
        in scratch: ScratchDirectory,
        tracer: [String] = []
    ) async throws -> String {
        let process = try StressProcess(
            arguments, output: scratch.path + "/output-\(UUID().uuidString)", tracer: tracer)
        try await process.wait()
        return process.text
    }
}
