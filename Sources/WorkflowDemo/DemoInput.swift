import CommandLineSupport

/// The directory that part 2 takes unless told otherwise.
enum DemoInput {
    /// This package's sources: where they were when the program was built, or in the current directory. Blocks.
    static func standard() -> FilePath? {
        // Up from `Sources/WorkflowDemo/DemoInput.swift`.
        let built = FilePath(#filePath).parent.parent
        return [built, FilePath("Sources")].first { candidate in
            guard let status = try? candidate.status() else { return false }
            return FileKind(status) == .directory
        }
    }
}
