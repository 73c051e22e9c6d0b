import Foundation

/// A disk that is soon full: a file system in memory, where the tests may mount one.
final class SmallDisk: Sendable {
    let path: String

    /// - Returns: `nil` where nothing may be mounted.
    init?(_ scratch: ScratchDirectory, size: Int) throws {
        path = scratch.path + "/disk"
        guard geteuid() == 0 else { return nil }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard Self.run("mount", "-t", "tmpfs", "-o", "size=\(size)", "tmpfs", path) else { return nil }
    }

    func makeReadOnly() -> Bool { Self.run("mount", "-o", "remount,ro", path) }

    deinit {
        _ = Self.run("umount", "-l", path)
    }

    private static func run(_ arguments: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
