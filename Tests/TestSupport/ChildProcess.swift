import Foundation

/// A process whose standard input ends when it is dropped, and with the process that started it, however that ends.
///
/// What it prints goes to files, so that nobody has to read while it writes.
public final class ChildProcess: Sendable {
    private let process = Process()
    private let input = Pipe()
    private let ended = Gate()

    /// - Parameters:
    ///   - executable: the path of a program; a name is looked for in the usual places.
    ///   - input: all of its standard input; nothing, and it doesn't end, unless given.
    ///   - output: a file that its standard output is added to; dropped unless given.
    ///   - error: the same for its standard error.
    ///   - environment: variables besides those of this process.
    public init(
        _ executable: String,
        _ arguments: [String],
        input: [UInt8]? = nil,
        output: String? = nil,
        error: String? = nil,
        environment: [String: String] = [:]
    ) throws {
        let isPath = executable.hasPrefix("/")
        process.executableURL = URL(filePath: isPath ? executable : "/usr/bin/env")
        process.arguments = isPath ? arguments : [executable] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = try input.map(Self.file) ?? self.input
        let outputHandle = try Self.handle(output)
        process.standardOutput = outputHandle
        process.standardError = output == error ? outputHandle : try Self.handle(error)
        process.terminationHandler = { [ended] _ in ended.open() }
        try process.run()
    }

    /// A file without a name that is read from its beginning.
    private static func file(_ bytes: [UInt8]) throws -> Any {
        let url = FileManager.default.temporaryDirectory.appending(path: "input-\(UUID().uuidString)")
        try Data(bytes).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try FileHandle(forReadingFrom: url)
    }

    private static func handle(_ path: String?) throws -> FileHandle {
        guard let path else { return .nullDevice }
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.seekToEnd()
        return handle
    }

    deinit {
        kill()
    }

    public var isRunning: Bool { process.isRunning }

    /// The most memory that the process ever had, in bytes, as Linux counts it (`VmHWM`); `nil` elsewhere.
    ///
    /// What is asked for and never touched is not counted, as it is by `ulimit -v`: threads, the allocator and Swift's
    /// runtime reserve addresses that they never use.
    public var peakMemory: Int? {
        let path = "/proc/\(process.processIdentifier)/status"
        guard let status = try? String(contentsOfFile: path, encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({
                Int($0)
            })
        else { return nil }
        return kilobytes << 10
    }

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

    /// Waits for its end.
    ///
    /// - Returns: the exit code, or the signal that ended it.
    /// - Throws: `CancellationError`.
    @discardableResult
    public func wait() async throws -> Int32 {
        try await ended.wait()
        return process.terminationStatus
    }
}

extension ChildProcess {
    /// Calls back, on a thread of its own, when this process's standard input ends: the one that started it is gone or
    /// wants it to end.
    public static func whenInputEnds(_ action: @escaping @Sendable () -> Void) {
        Thread.detachNewThread {
            while !FileHandle.standardInput.availableData.isEmpty {}
            action()
        }
    }
}
