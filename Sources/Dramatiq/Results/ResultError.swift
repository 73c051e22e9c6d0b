/// There is no result to give.
public struct ResultError: Error, Sendable, CustomStringConvertible {
    /// The sort of error. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// There was no result in time: the message has not ended yet, its actor stores none, or the time for which it was
        /// kept is over.
        public static let missing = Code("missing")
        /// The message has failed for good.
        public static let failed = Code("failed")
        /// What is kept can't be read.
        public static let unreadable = Code("unreadable")
        /// The result is larger than ``Results/maxSize``.
        public static let tooLarge = Code("tooLarge")
        /// The broker has no ``Results`` among its middleware.
        public static let middlewareMissing = Code("middlewareMissing")
    }

    public let code: Code
    public let messageID: String
    public let actorName: String
    /// What there is to say, for a person to read; for ``Code/failed`` what the error said of itself.
    public let reason: String
    /// The type of the error with which the message has failed, if it has.
    public private(set) var errorType: String?
    public private(set) var underlyingError: (any Error)?

    init(_ code: Code, _ key: ResultKey, _ reason: String, errorType: String? = nil, _ underlying: (any Error)? = nil) {
        self.code = code
        messageID = key.messageID
        actorName = key.actorName
        self.reason = PrintableText.escape(reason, limit: PrintableText.reasonLimit)
        self.errorType = errorType.map { PrintableText.escape($0, limit: 200) }
        underlyingError = underlying
    }

    public var description: String {
        let name =
            "\(PrintableText.escape(messageID, limit: 200)) for actor "
            + "'\(PrintableText.escape(actorName, limit: 200))'"
        return code == .failed
            ? "Message \(name) has failed with \(errorType ?? "an error"): \(reason)"
            : "There is no result of message \(name): \(reason)"
    }
}

/// What is wrong with a result comes again.
extension ResultError: PermanentError {}
