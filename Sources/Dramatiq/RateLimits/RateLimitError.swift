/// A rate limiter or barrier was set up or used in a way that can't work.
public struct RateLimitError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort of error. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// A limit, a number or a name that can't be used.
        public static let invalidArgument = Code("invalidArgument")
        /// The barrier opens at most once and can't be waited for: a party that comes after the release would wait for
        /// ever.
        public static let blockingNotSupported = Code("blockingNotSupported")
        /// The key holds what no rate limiter or barrier of its kind has put there.
        public static let foreignValue = Code("foreignValue")
    }

    public let code: Code
    /// What is wrong, for a person to read.
    public let description: String
    /// The key that holds something else.
    public private(set) var key: String?
}

extension RateLimitError {
    /// ``Code/invalidArgument``.
    ///
    /// - Parameter description: what is wrong, for a person to read.
    public static func invalidArgument(_ description: String) -> RateLimitError {
        RateLimitError(code: .invalidArgument, description: description)
    }

    /// ``Code/foreignValue``.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - expected: what should be there, as in "a number".
    public static func foreignValue(key: String, expected: String) -> RateLimitError {
        RateLimitError(
            code: .foreignValue, description: "Key \(key) holds something else than \(expected)", key: key)
    }

    package static let blockingNotSupported = RateLimitError(
        code: .blockingNotSupported, description: "A barrier that opens at most once can't be waited for")
}
