import Foundation
import TestSupport

/// Where the programs are that tests start.
public enum TestPrograms {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized

    /// The worker of the target `RedisTestWorker`, which is built beside the tests.
    public static let worker = URL(filePath: CommandLine.arguments[0])
        .deletingLastPathComponent().appending(path: "RedisTestWorker").path

    /// Python with the packages that are compared with.
    public static func python() throws -> String {
        try TestPython.path()
    }

    /// The script that is Python's side of the tests.
    public static let pythonPeer = root.appending(path: "Tests/InteropTests/Python/peer.py").path
}
