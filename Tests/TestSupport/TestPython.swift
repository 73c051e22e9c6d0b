import Foundation

/// Python with the packages that tests need, in the environment that `Scripts/python` makes.
public enum TestPython {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized

    /// The path of its program.
    public static func path() throws -> String {
        try prepared.get()
    }

    /// Made once: two who make the environment at the same time would disturb each other.
    private static let prepared = Result {
        let process = Process()
        process.executableURL = root.appending(path: "Scripts/python")
        process.arguments = ["-c", ""]
        try process.run()
        process.waitUntilExit()
        return root.appending(path: ".venv/bin/python").path
    }
}
