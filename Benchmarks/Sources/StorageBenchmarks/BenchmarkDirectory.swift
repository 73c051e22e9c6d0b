import Foundation

/// A directory beside the results for the length of a benchmark, so on a disk and not in memory.
final class BenchmarkDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.currentDirectoryPath + "/results/storage-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path + "/raw", withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}
