/// Why a message can't be written.
public struct EncodeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort of fault. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// The message is larger than the encoder allows.
        public static let tooLarge = Code("tooLarge")
        /// A name, a key or an id of the message is longer than ``Message/maxNameSize``.
        public static let tooLong = Code("tooLong")
        /// The message has more options than ``Message/maxOptionCount``.
        public static let tooManyOptions = Code("tooManyOptions")
        /// Arrays and objects are nested deeper in the message than the encoder allows, with all that it carries.
        public static let tooDeep = Code("tooDeep")
    }

    public let code: Code
    /// What is wrong, for a person to read.
    public let description: String
    public let messageID: String
    /// How many bytes the message has, if they are too many.
    public private(set) var size: Int?
    /// How many levels deep the message is nested, if they are too many.
    public private(set) var depth: Int?
    /// The encoder's limit for it.
    public private(set) var limit: Int?
}

extension EncodeError {
    /// ``Code/tooLarge``. Sizes are in bytes.
    public static func tooLarge(messageID: String, size: Int, limit: Int) -> EncodeError {
        EncodeError(
            code: .tooLarge, description: "Message \(messageID) has \(size) bytes, the limit is \(limit)",
            messageID: messageID, size: size, limit: limit)
    }

    /// ``Code/tooLong``. Sizes are in bytes.
    ///
    /// - Parameters:
    ///   - messageID: the message's id.
    ///   - field: which text it is, such as `actor_name`.
    ///   - size: how long it is.
    ///   - limit: how long it may be.
    public static func tooLong(messageID: String, field: String, size: Int, limit: Int) -> EncodeError {
        EncodeError(
            code: .tooLong,
            description:
                "Message \(messageID.excerpt(maxBytes: 64)) has \(field) of \(size) bytes, the limit is \(limit)",
            messageID: messageID, size: size, limit: limit)
    }

    /// ``Code/tooManyOptions``.
    public static func tooManyOptions(messageID: String, count: Int, limit: Int) -> EncodeError {
        EncodeError(
            code: .tooManyOptions, description: "Message \(messageID) has \(count) options, the limit is \(limit)",
            messageID: messageID, limit: limit)
    }

    /// ``Code/tooDeep``.
    public static func tooDeep(messageID: String, depth: Int, limit: Int) -> EncodeError {
        EncodeError(
            code: .tooDeep,
            description: "Message \(messageID) is nested \(depth) levels deep, counting its arguments, its options and "
                + "what they hold; the limit is \(limit)",
            messageID: messageID, depth: depth, limit: limit)
    }
}
