import Foundation

/// A server that runs until it is killed, or until this process ends in whatever way.
final class ServerProcess: Sendable {
    private let shell = Process()
    private let input = Pipe()
    /// The server's.
    private let identifier: pid_t

    init(_ command: [String]) throws {
        // The shell says which process the server is, and kills it when there is nobody left who could write to the
        // shell's input.
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments =
            ["-c", #""$@" </dev/null >/dev/null 2>&1 & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null"#, "sh"]
            + command
        shell.standardInput = input
        let output = Pipe()
        shell.standardOutput = output
        try shell.run()
        var line: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") {
            line.append(byte)
        }
        identifier = pid_t(String(decoding: line, as: UTF8.self)) ?? -1
    }

    var isRunning: Bool { identifier > 0 && Foundation.kill(identifier, 0) == 0 }

    /// Sends a signal to the server itself.
    func signal(_ number: Int32) {
        if identifier > 0 { _ = Foundation.kill(identifier, number) }
    }

    func kill() {
        if identifier > 0 { _ = Foundation.kill(identifier, SIGKILL) }
        try? input.fileHandleForWriting.close()
        shell.waitUntilExit()
    }
}
