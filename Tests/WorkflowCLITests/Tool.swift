import Foundation
import Testing

/// Runs `dramatiq-workflow` in a process of its own, as a user does.
enum Tool {
    struct Result: Sendable {
        let status: Int32
        let outputBytes: [UInt8]
        let error: String

        var output: String { String(decoding: outputBytes, as: UTF8.self) }
        var errorLines: [Substring] { error.split(separator: "\n") }
    }

    /// Where the tests were built, the tool was built, too.
    static let location = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appending(path: "dramatiq-workflow")

    static func run(
        _ arguments: [String],
        input: [UInt8] = [],
        through launcher: [String] = []
    ) async throws -> Result {
        let files = try TemporaryDirectory()
        try files.write(input, "input")
        try files.write([], "output")
        try files.write([], "error")
        let process = Process()
        let words = launcher + [location.path] + arguments
        process.executableURL = URL(filePath: launcher.isEmpty ? location.path : "/usr/bin/env")
        process.arguments = launcher.isEmpty ? arguments : words
        process.standardInput = try FileHandle(forReadingFrom: files.location.appending(path: "input"))
        process.standardOutput = try FileHandle(forWritingTo: files.location.appending(path: "output"))
        process.standardError = try FileHandle(forWritingTo: files.location.appending(path: "error"))
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        process.terminationHandler = { _ in end.finish() }
        try process.run()
        for await _ in ends {}
        return Result(
            status: process.terminationStatus, outputBytes: try files.read("output"),
            error: String(decoding: try files.read("error"), as: UTF8.self))
    }

    /// Runs a script of bash in a directory, to which the tool is `$TOOL`.
    static func script(_ text: String, in directory: TemporaryDirectory, input: [UInt8] = []) async throws -> Result {
        // `$0` is what follows the script: the tool.
        let script = "TOOL=$0; cd '\(directory.location.path)' && { \(text)\n}"
        return try await run([], input: input, through: ["bash", "-c", script])
    }

    /// What turns root into a user without rights for a command; others have none anyway.
    static let withoutRights =
        geteuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : ["env"]
    /// Whether there is such a thing here.
    static let canLoseRights =
        geteuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
}
