/// Why bytes are not a message, and where the fault is.
public struct DecodeError: Error, Sendable, Hashable {
    /// The sort of fault. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        enum Value: String {
            case unexpectedEnd, unexpectedByte, invalidNumber, invalidString, invalidUTF8, tooDeep, tooLarge
            case trailingBytes, missingField, unknownField, wrongType, corrupt, missingDictionary, tooLong,
                tooManyOptions
        }

        let value: Value

        public static let unexpectedEnd = Code(value: .unexpectedEnd)
        public static let unexpectedByte = Code(value: .unexpectedByte)
        public static let invalidNumber = Code(value: .invalidNumber)
        /// A raw control character or a bad escape in a string.
        public static let invalidString = Code(value: .invalidString)
        public static let invalidUTF8 = Code(value: .invalidUTF8)
        /// Nested deeper than the encoder's limit.
        public static let tooDeep = Code(value: .tooDeep)
        /// Larger than the encoder's limit.
        public static let tooLarge = Code(value: .tooLarge)
        /// A name, a key or an id is longer than ``Message/maxNameSize``.
        public static let tooLong = Code(value: .tooLong)
        /// More options than ``Message/maxOptionCount``.
        public static let tooManyOptions = Code(value: .tooManyOptions)
        public static let trailingBytes = Code(value: .trailingBytes)
        /// One of the message's fields is not there.
        public static let missingField = Code(value: .missingField)
        /// A field that messages don't have.
        public static let unknownField = Code(value: .unknownField)
        /// A field holds a value of another type.
        public static let wrongType = Code(value: .wrongType)
        /// An encoding other than JSON is damaged, for example a compressed frame.
        public static let corrupt = Code(value: .corrupt)
        /// Compressed with a dictionary that the decoder was not given.
        public static let missingDictionary = Code(value: .missingDictionary)

        public var description: String { value.rawValue }
    }

    public var code: Code
    /// What is wrong, for a person to read.
    public var reason: String
    /// Where the fault is, in bytes from the start of what was decoded.
    public var offset: Int

    public init(_ code: Code, _ reason: String, offset: Int) {
        self.code = code
        self.reason = reason
        self.offset = offset
    }
}

extension DecodeError: CustomStringConvertible {
    public var description: String { "\(reason) at byte \(offset)" }
}
