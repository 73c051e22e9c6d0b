import Foundation

/// Something that can't be done with a file, and why.
struct FileError: Error, CustomStringConvertible {
    enum Reason: Sendable, Equatable {
        /// What the system says (`errno`).
        case system(Int32)
        case isDirectory
        case notDirectory
        case notRegularFile
        /// It has more bytes than are taken.
        case tooLarge(limit: Int)
        /// Its content or its date is not what it was a moment ago.
        case changedMeanwhile
    }

    /// As in "can't read".
    let operation: String
    let path: FilePath
    let reason: Reason

    var description: String {
        "Can't \(operation) \(path.named): \(reason)"
    }

    /// The error of the system call that has just failed.
    static func lastCall(_ operation: String, _ path: FilePath) -> FileError {
        FileError(operation: operation, path: path, reason: .system(errno))
    }
}

extension FileError.Reason: CustomStringConvertible {
    var description: String {
        switch self {
        case .system(let code): String(cString: strerror(code))
        case .isDirectory: "Is a directory"
        case .notDirectory: "Is not a directory"
        case .notRegularFile: "Is not a regular file"
        case .tooLarge(let limit): "It has more than the limit of \(limit) bytes"
        case .changedMeanwhile: "It changed meanwhile"
        }
    }
}
