import CommandLineSupport

/// Why a demo did not end well.
enum DemoFailure: Error, CustomStringConvertible {
    /// Tasks that failed for good: what they were to do, and why they could not.
    case tasksFailed([String])
    /// There is nothing left to run, and the workflow's last task never did.
    case workflowIncomplete
    /// Claims about the run that are not true.
    case claimsFailed([String])
    /// Differences between the manifest and the files.
    case manifestMismatch(FilePath, [String])
    /// The workflow is done, but there were files that could not be read.
    case filesSkipped(count: Int)
    /// There is no directory to read.
    case noInput

    /// No more than this many single things are listed.
    private static let listLimit = 20

    var description: String {
        switch self {
        case .tasksFailed(let failures):
            "The workflow can't go on, \(Self.count(failures.count, "task")) failed for good:" + Self.list(failures)
        case .workflowIncomplete:
            "The workflow stopped before its last task, though no task has failed"
        case .claimsFailed(let claims):
            "The run is not what it should be:" + Self.list(claims)
        case .manifestMismatch(let path, let differences):
            "The manifest '\(path)' doesn't match the files:" + Self.list(differences)
        case .filesSkipped(let count):
            "\(Self.count(count, "file or directory", plural: "files or directories")) could not be read; the manifest "
                + "is right for all others"
        case .noInput:
            "There is no directory to read. Name one with --input"
        }
    }

    private static func count(_ count: Int, _ noun: String, plural: String? = nil) -> String {
        count == 1 ? "1 \(noun)" : "\(count) \(plural ?? noun + "s")"
    }

    private static func list(_ lines: [String]) -> String {
        var text = lines.prefix(listLimit).map { "\n  " + $0 }.joined()
        if lines.count > listLimit { text += "\n  … and \(lines.count - listLimit) more" }
        return text
    }
}
