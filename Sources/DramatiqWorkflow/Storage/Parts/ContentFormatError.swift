public import Dramatiq

/// Why a stored content can't be unpacked, or is too large to be stored.
public struct ContentFormatError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort of cause. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String {
            case corrupt, tooLarge, unknownCodec, unknownVersion
        }

        private let value: Value

        /// It is not what was stored: cut off, or changed.
        public static let corrupt = Code(value: .corrupt)
        /// It is larger than the store's limit, or is so many times what it is compressed to.
        public static let tooLarge = Code(value: .tooLarge)
        /// It is compressed in a way that the store was not given a compressor for.
        public static let unknownCodec = Code(value: .unknownCodec)
        /// A later version of this package has written it.
        public static let unknownVersion = Code(value: .unknownVersion)

        public var description: String { value.rawValue }
    }

    public let code: Code
    /// The cause, for a person to read.
    public let reason: String
    /// What the content is called, if that is known.
    public internal(set) var name: String?

    init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String {
        name.map { "Content '\($0.excerpt(maxBytes: 256))': \(reason)" } ?? reason
    }
}

extension ContentFormatError: ConfinedError, StorageFailureConvertible {
    /// Always: it is about one content.
    public var isConfined: Bool { true }

    public func storageFailure(at place: String) -> StorageFailure {
        StorageFailure(place: name ?? place, code: "\(code)", reason: reason)
    }
}
