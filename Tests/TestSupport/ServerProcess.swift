import Foundation

/// A server that runs until it is killed, or until this process ends in whatever way.
public final class ServerProcess: Sendable {
    private let process = Process()
    private let input = Pipe()

    public init(_ command: [String]) throws {
        // The shell becomes the server, and leaves one behind that kills it when there is nobody left who could write
        // to their input. One that waited for the server might never hear of its end: it starts with the signals
        // blocked that the calling thread has blocked.
        let script = #"""
            exec 3<&0
            { while read -r line; do :; done; kill -9 $$; } <&3 >/dev/null 2>&1 &
            exec "$@" </dev/null >/dev/null 2>&1 3<&-
            """#
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", script, "sh"] + command
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    public var isRunning: Bool { process.isRunning }

    /// Ends the server, and waits until it has: its port is free then.
    public func kill() {
        signal(SIGKILL)
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Sends the server a signal.
    public func signal(_ number: Int32) {
        if process.isRunning { _ = Foundation.kill(process.processIdentifier, number) }
    }
}
