import Foundation

/// A process that ends when its standard input does, and so with the process that started it.
public final class ChildProcess: Sendable {
    private let process = Process()
    private let input = Pipe()

    /// - Parameters:
    ///   - executable: the path of a program.
    ///   - log: a file for all that it prints; nothing is kept otherwise.
    public init(_ executable: String, _ arguments: [String], log: String? = nil) throws {
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.standardInput = input
        let output: FileHandle
        if let log {
            if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(filePath: log)) }
            output = try FileHandle(forWritingTo: URL(filePath: log))
            try output.seekToEnd()
        } else {
            output = .nullDevice
        }
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    deinit {
        kill()
    }

    public var isRunning: Bool { process.isRunning }

    /// Ends the process at once, as a crash would.
    public func kill() {
        if process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Lets the process stand still.
    public func suspend() {
        _ = Foundation.kill(process.processIdentifier, SIGSTOP)
    }

    /// Lets a process that stands still go on.
    public func resume() {
        _ = Foundation.kill(process.processIdentifier, SIGCONT)
    }

    /// Lets the process end as it likes, and waits for it.
    public func stop() async throws {
        try? input.fileHandleForWriting.close()
        while process.isRunning { try await Task.sleep(for: .milliseconds(10)) }
    }
}

/// Where the programs are that tests start.
public enum TestPrograms {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized

    /// The worker of the target `RedisTestWorker`, which is built beside the tests.
    public static let worker = URL(filePath: CommandLine.arguments[0])
        .deletingLastPathComponent().appending(path: "RedisTestWorker").path

    /// Python with the packages that are compared with, in the environment that `Scripts/python` makes.
    public static func python() throws -> String {
        try preparedPython.get()
    }

    /// Made once: two who make the environment at the same time would disturb each other.
    private static let preparedPython = Result {
        let process = Process()
        process.executableURL = root.appending(path: "Scripts/python")
        process.arguments = ["-c", ""]
        try process.run()
        process.waitUntilExit()
        return root.appending(path: ".venv/bin/python").path
    }

    /// The script that is Python's side of the tests.
    public static let pythonPeer = root.appending(path: "Tests/InteropTests/Python/peer.py").path
}
