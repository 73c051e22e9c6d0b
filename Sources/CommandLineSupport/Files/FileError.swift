import Foundation

/// Something that can't be done with a file, and why.
package struct FileError: Error, CustomStringConvertible {
    package enum Reason: Sendable, Equatable {
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
    package let operation: String
    package let path: FilePath
    package let reason: Reason

    package init(operation: String, path: FilePath, reason: Reason) {
        self.operation = operation
        self.path = path
        self.reason = reason
    }

    package var description: String {
        "Can't \(operation) \(path.named): \(reason)"
    }

    /// The error of the system call that has just failed.
    package static func lastCall(_ operation: String, _ path: FilePath) -> FileError {
        FileError(operation: operation, path: path, reason: .system(errno))
    }
}

extension FileError.Reason: CustomStringConvertible {
    package var description: String {
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
