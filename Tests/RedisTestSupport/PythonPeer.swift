import Dramatiq
import Foundation
public import TestSupport

/// Runs Python's side of a test to its end.
public enum PythonPeer {
    public struct Failed: Error {
        public let status: Int32
        public let output: String
    }

    /// Runs a command of `peer.py`; see there.
    ///
    /// - Parameters:
    ///   - input: the lines of its standard input.
    ///   - environment: variables besides those of this process.
    /// - Returns: the lines of its standard output.
    public static func run(
        _ arguments: [String],
        input: [[UInt8]] = [],
        environment: [String: String] = [:]
    ) async throws -> [[UInt8]] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "peer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (output, errors) = (folder.appending(path: "output"), folder.appending(path: "errors"))
        let process = try ChildProcess(
            TestPrograms.python(), [TestPrograms.pythonPeer] + arguments,
            input: input.flatMap { $0 + [UInt8(ascii: "\n")] }, output: output.path, error: errors.path,
            environment: environment)
        let status = try await process.wait()
        guard status == 0 else {
            throw Failed(status: status, output: try String(contentsOf: errors, encoding: .utf8))
        }
        return try [UInt8](Data(contentsOf: output)).split(separator: UInt8(ascii: "\n")).map(Array.init)
    }

    /// Starts a worker of Python; `peer.py` says what the arguments are.
    ///
    /// - Parameters:
    ///   - output: where what it writes goes, if anywhere.
    ///   - environment: variables besides those of this process.
    public static func startWorker(
        _ server: RedisServer,
        namespace: String = "dramatiq",
        heartbeat: Duration = .seconds(60),
        actors: String = "python@python",
        queues: String = "",
        output: String? = nil,
        environment: [String: String]
    ) throws -> ChildProcess {
        try ChildProcess(
            TestPrograms.python(),
            [
                TestPrograms.pythonPeer, "work", server.url, namespace, "\(heartbeat.milliseconds)", actors, queues,
            ], output: output, error: output, environment: environment)
    }
}
