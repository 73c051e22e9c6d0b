import Foundation

@testable import CommandLineSupport

/// A directory for the length of a test.
final class TemporaryDirectory: Sendable {
    let path: FilePath
    private let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "workflow-cli-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = try FilePath(url.path).resolved()
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    /// Writes a file, and makes the directories on the way to it.
    func write(_ bytes: [UInt8], _ name: String) throws {
        let file = url.appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    /// Writes a file at a path that need not be UTF-8, in a directory that is there.
    func write(_ bytes: [UInt8], at path: FilePath) throws {
        try AtomicFile.write(bytes, to: self.path.appending(path))
    }

    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: url.appending(path: name)))
    }

    func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(at: url.appending(path: name), withIntermediateDirectories: true)
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: url.appending(path: name).path, withDestinationPath: target)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: url.appending(path: name))
    }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() }
    }

    /// The directory for a child process.
    var location: URL { url }
}
