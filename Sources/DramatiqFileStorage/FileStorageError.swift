import DramatiqWorkflow

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a file storage could not do, with which file, and why.
public struct FileStorageError: Error, Sendable, Hashable {
    /// The sort of cause. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String {
            case missing, corrupt, tooLarge, unknownCodec, unknownVersion, permissionDenied, readOnly, noSpace
            case locked, unusable, system
        }

        private let value: Value

        /// There is no such file.
        public static let missing = Code(value: .missing)
        /// The file is not what was stored: cut off, changed, or another file under this name.
        public static let corrupt = Code(value: .corrupt)
        /// The content is larger than the directory's limit.
        public static let tooLarge = Code(value: .tooLarge)
        /// The file is compressed in a way that the directory was not given a compressor for.
        public static let unknownCodec = Code(value: .unknownCodec)
        /// A later version of this package wrote the file.
        public static let unknownVersion = Code(value: .unknownVersion)
        public static let permissionDenied = Code(value: .permissionDenied)
        /// The file system is mounted read-only.
        public static let readOnly = Code(value: .readOnly)
        /// The disk is full, or a quota or limit of file sizes is reached.
        public static let noSpace = Code(value: .noSpace)
        /// Others have held the lock of a directory for longer than ``StorageDirectory/lockTimeout``: the path is the lock's.
        public static let locked = Code(value: .locked)
        /// Something else is where a file or directory of the storage should be: a symbolic link, say.
        public static let unusable = Code(value: .unusable)
        /// Anything else that the system reported.
        public static let system = Code(value: .system)

        public var description: String { value.rawValue }
    }

    public let code: Code
    /// What was to be done, as in "can't load".
    public let operation: String
    /// The path of the file or directory.
    public let path: String
    /// The cause, for a person to read.
    public let reason: String

    init(_ code: Code, _ operation: String, _ path: String, _ reason: String) {
        self.code = code
        self.operation = operation
        self.path = path
        self.reason = reason
    }

    /// What is wrong with a file's content.
    init(_ error: ContentFormatError, _ operation: String, _ path: String) {
        let code: Code =
            switch error.code {
            case .tooLarge: .tooLarge
            case .unknownCodec: .unknownCodec
            case .unknownVersion: .unknownVersion
            default: .corrupt
            }
        self.init(code, operation, path, error.reason)
    }

    /// The error of a system call.
    init(systemError number: Int32, _ operation: String, _ path: String) {
        self.init(Code(systemError: number), operation, path, String(cString: strerror(number)))
    }

    /// Something that is no file is where one should be.
    static func notRegular(_ operation: String, _ path: String) -> FileStorageError {
        FileStorageError(.unusable, operation, path, "It is not a regular file")
    }

    /// The error of the system call that has just failed.
    static func lastCall(_ operation: String, _ path: String) -> FileStorageError {
        FileStorageError(systemError: errno, operation, path)
    }
}

extension FileStorageError.Code {
    fileprivate init(systemError number: Int32) {
        switch number {
        case ENOENT: self = .missing
        case EACCES, EPERM: self = .permissionDenied
        case EROFS: self = .readOnly
        case ENOSPC, EDQUOT, EFBIG: self = .noSpace
        // What opening a symbolic link without following it says, and what the other kinds of files say.
        case ELOOP, ENOTDIR, EISDIR, ENXIO: self = .unusable
        default: self = .system
        }
    }
}

extension FileStorageError: CustomStringConvertible {
    public var description: String { "Can't \(operation) '\(path)': \(reason)" }
}
