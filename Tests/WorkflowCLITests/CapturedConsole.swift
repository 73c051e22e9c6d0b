import Foundation

@testable import CommandLineSupport

/// A console whose output can be read afterwards.
final class CapturedConsole: Sendable {
    let console: Console
    private let output: FileHandle
    private let error: FileHandle
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try directory.write([], "output")
        try directory.write([], "error")
        output = try FileHandle(forWritingTo: directory.location.appending(path: "output"))
        error = try FileHandle(forWritingTo: directory.location.appending(path: "error"))
        console = Console(output: output.fileDescriptor, error: error.fileDescriptor)
    }

    func outputText() async throws -> String {
        try await console.flush()
        return String(decoding: try directory.read("output"), as: UTF8.self)
    }

    func errorText() async throws -> String {
        try await console.flush()
        return String(decoding: try directory.read("error"), as: UTF8.self)
    }
}
