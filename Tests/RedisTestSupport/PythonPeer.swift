import Foundation

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
        // Files instead of pipes, so that nobody has to read while another one writes.
        let files = ["input", "output", "errors"].map { folder.appending(path: $0) }
        for file in files { try Data().write(to: file) }
        try Data(input.joined(separator: [UInt8(ascii: "\n")]) + [UInt8(ascii: "\n")]).write(to: files[0])
        let process = Process()
        process.executableURL = URL(filePath: try TestPrograms.python())
        process.arguments = [TestPrograms.pythonPeer] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if input.isEmpty { try Data().write(to: files[0]) }
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        while process.isRunning { try await Task.sleep(for: .milliseconds(10)) }
        guard process.terminationStatus == 0 else {
            let output = try String(contentsOf: files[2], encoding: .utf8)
            throw Failed(status: process.terminationStatus, output: output)
        }
        return try [UInt8](Data(contentsOf: files[1])).split(separator: UInt8(ascii: "\n")).map(Array.init)
    }
}
