import Foundation

/// The tool `sha256sum`, which judges what the demo writes.
enum Checksums {
    struct Output: Sendable {
        let status: Int32
        let text: String
    }

    private static let candidates = ["/usr/bin/sha256sum", "/bin/sha256sum", "/opt/homebrew/bin/gsha256sum"]
    private static let tool = candidates.first { FileManager.default.isExecutableFile(atPath: $0) }

    static var areAvailable: Bool { tool != nil }

    static func run(_ arguments: [String], in directory: TemporaryDirectory) async throws -> Output {
        let process = Process()
        process.executableURL = URL(filePath: tool ?? "sha256sum")
        process.arguments = arguments
        process.currentDirectoryURL = directory.location
        // A file and not a pipe, which would have to be emptied while the tool runs.
        let log = FileManager.default.temporaryDirectory.appending(path: "workflow-cli-tests-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: log) }
        let handle = try FileHandle(forWritingTo: log)
        process.standardOutput = handle
        process.standardError = handle
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        return Output(status: status, text: String(decoding: try Data(contentsOf: log), as: UTF8.self))
    }
}
