import Foundation

@testable import DramatiqFileStorage

/// A directory for the length of a test.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/file-storage-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // What a test has locked has to be opened to be removed.
        _ = chmod(path, 0o700)
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A directory to store in, below this one.
    var storage: String { path + "/storage" }

    /// The relative paths of all that is below the storage's directory.
    var files: [String] {
        (FileManager.default.enumerator(atPath: storage)?.compactMap { $0 as? String } ?? []).sorted()
    }

    /// The absolute paths of the contents' files.
    var contents: [String] {
        files.filter { ($0 as NSString).lastPathComponent.count == 64 }.map { storage + "/" + $0 }
    }

    static func read(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    static func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(filePath: path))
    }

    /// Makes a file look as if nobody had needed it for a time.
    static func age(_ path: String, by duration: Duration) throws {
        let date = Date.now.addingTimeInterval(-Double(duration.components.seconds))
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
    }
}
