import Foundation

/// Where the programs are that tests start.
public enum TestPrograms {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized

    /// The worker of the target `RedisTestWorker`, which is built beside the tests.
    public static let worker = URL(filePath: CommandLine.arguments[0])
        .deletingLastPathComponent().appending(path: "RedisTestWorker").path

    /// Python with the packages that are compared with, in the environment that `Scripts/python` makes.
    public static func python() throws -> String {
        try preparedPython.get()
    }

    /// Made once: two who make the environment at the same time would disturb each other.
    private static let preparedPython = Result {
        let process = Process()
        process.executableURL = root.appending(path: "Scripts/python")
        process.arguments = ["-c", ""]
        try process.run()
        process.waitUntilExit()
        return root.appending(path: ".venv/bin/python").path
    }

    /// The script that is Python's side of the tests.
    public static let pythonPeer = root.appending(path: "Tests/InteropTests/Python/peer.py").path
}
