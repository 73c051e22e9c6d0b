import Foundation
import TestSupport
import Testing

@testable import CommandLineSupport

/// Nobody reads what is printed, and nobody ever will.
@Suite(.timeLimit(.minutes(10))) struct UnreadOutputTests {
    /// A pipe without room for another byte.
    private func fullPipe() throws -> Pipe {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        let flags = fcntl(descriptor, F_GETFL)
        #expect(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0)
        let chunk = [UInt8](repeating: 0, count: 4096)
        while write(descriptor, chunk, chunk.count) > 0 {}
        while write(descriptor, chunk, 1) > 0 {}
        #expect(fcntl(descriptor, F_SETFL, flags) == 0)
        return pipe
    }

    @Test(arguments: [[], ["--json"]], [SIGTERM, SIGINT])
    func theDemoEndsWhenItIsTold(arguments: [String], signal: Int32) async throws {
        let files = try TemporaryDirectory()
        try files.write([1, 2, 3], "input/file")
        let pipe = try fullPipe()
        let manifest = files.location.appending(path: "manifest").path
        let process = Process()
        process.executableURL = Tool.location
        process.arguments =
            ["demo", "--part", "2", "--input", files.location.appending(path: "input").path, "--output", manifest]
            + arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        try await eventually { FileManager.default.fileExists(atPath: manifest) }
        #expect(process.isRunning)
        // The first may come while its workflow still runs, and ends that.
        try await eventually {
            _ = kill(process.processIdentifier, signal)
            return !process.isRunning
        }
    }

    @Test func whoeverWaitsForAConsoleCanBeLetGo() async throws {
        let pipe = try fullPipe()
        let console = Console(output: pipe.fileHandleForWriting.fileDescriptor)
        console.writeLine("text")
        async let first: Void = console.flush()
        console.giveUp(after: .milliseconds(1))
        try await first
        try await console.flush()
        // So that its thread can go on.
        _ = pipe.fileHandleForReading.availableData
    }
}
