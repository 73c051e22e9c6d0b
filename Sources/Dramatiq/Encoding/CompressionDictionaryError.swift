/// Why bytes are no dictionary.
public struct CompressionDictionaryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort of fault. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        public static let empty = Code("empty")
        /// It is larger than ``CompressionDictionary/maxSize``.
        public static let tooLarge = Code("tooLarge")
        /// The file doesn't begin as dictionaries do.
        public static let notADictionary = Code("notADictionary")
        /// The file has a form that this version doesn't know.
        public static let unknownVersion = Code("unknownVersion")
        /// The file was cut short, or something was added.
        public static let wrongSize = Code("wrongSize")
        /// The content was changed: it doesn't have the id that the file says.
        public static let wrongContent = Code("wrongContent")
    }

    public let code: Code
    /// What is wrong, for a person to read.
    public let description: String
    /// How many bytes there are, where their number is what is wrong.
    public private(set) var size: Int?
}

extension CompressionDictionaryError {
    package static let empty = CompressionDictionaryError(code: .empty, description: "A dictionary can't be empty")

    package static func tooLarge(size: Int, limit: Int) -> CompressionDictionaryError {
        CompressionDictionaryError(
            code: .tooLarge, description: "The dictionary has \(size) bytes, the limit is \(limit)", size: size)
    }

    package static let notADictionary = CompressionDictionaryError(
        code: .notADictionary, description: "This is not a dictionary's file")

    package static func unknownVersion(_ version: String) -> CompressionDictionaryError {
        CompressionDictionaryError(
            code: .unknownVersion,
            description: "The dictionary's file has a form of version '\(version)', which is unknown")
    }

    package static func wrongSize(declared: Int, actual: Int) -> CompressionDictionaryError {
        CompressionDictionaryError(
            code: .wrongSize,
            description: "The dictionary's file holds \(actual) bytes of content and says that it has \(declared)",
            size: actual)
    }

    package static func wrongContent(declared: UInt32, actual: UInt32) -> CompressionDictionaryError {
        CompressionDictionaryError(
            code: .wrongContent,
            description:
                "The dictionary's content has the id \(CompressionDictionary.text(of: actual)) and its file says "
                + "\(CompressionDictionary.text(of: declared)): it was damaged")
    }
}
