public import Dramatiq

/// What went wrong between this process and a Redis server.
public struct RedisError: Error, Sendable {
    /// What kind of error it is. More may be added.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private let name: StaticName

        private enum StaticName: String {
            case server, connectionFailed, connectTimeout, authenticationFailed, encryptionFailed, connectionClosed
            case commandTimeout, queueFull, clientClosed, malformedReply, unexpectedReply, invalidConfiguration
            case permissionDenied
        }

        private init(_ name: StaticName) {
            self.name = name
        }

        public var description: String { name.rawValue }

        /// The server answered with an error; see ``RedisError/serverCode``.
        public static let server = Code(.server)
        /// No connection could be made.
        public static let connectionFailed = Code(.connectionFailed)
        /// No connection could be made in time.
        public static let connectTimeout = Code(.connectTimeout)
        /// The server refused the user, the password or the database.
        public static let authenticationFailed = Code(.authenticationFailed)
        /// No encrypted connection could be made: most often a certificate that is not trusted. Or one side encrypts
        /// and the other doesn't.
        public static let encryptionFailed = Code(.encryptionFailed)
        /// The connection was lost before the answer came.
        public static let connectionClosed = Code(.connectionClosed)
        /// The answer did not come in time.
        public static let commandTimeout = Code(.commandTimeout)
        /// Too many commands wait for their answers.
        public static let queueFull = Code(.queueFull)
        /// The client was shut down.
        public static let clientClosed = Code(.clientClosed)
        /// The server sent what the protocol doesn't allow, or more than the limits do.
        public static let malformedReply = Code(.malformedReply)
        /// The answer is not of the kind that was asked for.
        public static let unexpectedReply = Code(.unexpectedReply)
        /// The server's rules (its access control list) keep the user from commands or keys that are needed.
        public static let permissionDenied = Code(.permissionDenied)
        /// A URL or an option that can't be used.
        public static let invalidConfiguration = Code(.invalidConfiguration)
    }

    private final class Content: Sendable {
        let code: Code
        let message: String
        let mayHaveTakenEffect: Bool
        let underlyingError: (any Error)?

        init(_ code: Code, _ message: String, _ mayHaveTakenEffect: Bool, _ underlyingError: (any Error)?) {
            self.code = code
            self.message = message
            self.mayHaveTakenEffect = mayHaveTakenEffect
            self.underlyingError = underlyingError
        }
    }

    /// On the heap, so that a reply stays small.
    private let content: Content

    /// - Parameters:
    ///   - code: the sort of error.
    ///   - message: for a person to read; for ``Code/server`` what the server sent.
    ///   - mayHaveTakenEffect: whether the command may have been run. Defaults to `false`.
    ///   - underlyingError: what caused it.
    public init(
        _ code: Code,
        _ message: String,
        mayHaveTakenEffect: Bool = false,
        underlyingError: (any Error)? = nil
    ) {
        content = Content(code, message, mayHaveTakenEffect, underlyingError)
    }

    public var code: Code { content.code }
    /// For a person to read; for ``Code/server`` what the server sent.
    public var message: String { content.message }
    /// Whether the command may have been run: it was sent, and there was no answer. An error that the server answered
    /// means that a plain command was not run; a script may have failed midway.
    public var mayHaveTakenEffect: Bool { content.mayHaveTakenEffect }
    /// What caused it, if something else did.
    public var underlyingError: (any Error)? { content.underlyingError }
}

extension RedisError {
    /// The first word of the server's error, such as `WRONGTYPE`.
    public var serverCode: String? {
        guard code == .server else { return nil }
        return String(Substring(message.utf8.prefix { $0 != UInt8(ascii: " ") }))
    }
}

extension RedisError: TransientError {
    /// Whether it is an outage that will be over: no connection, no answer, a server that is loading, full, a replica
    /// or out of its cluster.
    public var isTransient: Bool {
        switch code {
        case .connectionFailed, .connectTimeout, .connectionClosed, .commandTimeout, .queueFull: true
        case .server: Self.outages.contains { isServerError($0) }
        default: false
        }
    }

    private static let outages = [
        "LOADING", "READONLY", "MASTERDOWN", "TRYAGAIN", "OOM", "BUSY", "CLUSTERDOWN", "NOREPLICAS", "MISCONF",
        // Once the client has followed a few of them, the cluster is still finding out who serves what.
        "MOVED", "ASK",
        "ERR max number of clients reached",
    ]

    /// Whether the server's error has a code, also where a server before 7.0 put it behind
    /// `ERR Error running script`.
    func isServerError(_ code: String) -> Bool {
        guard self.code == .server, message.hasBytePrefix(code) || message.hasBytePrefix("ERR Error running script")
        else {
            return false
        }
        return message.hasBytePrefix(code + " ") || message.hasSameBytes(as: code)
            || message.containsBytes(of: ": -\(code) ")
    }
}

extension RedisError: ConfinedError {
    /// Whether the server answered, and only didn't like what it was asked about.
    public var isConfined: Bool { (code == .server || code == .unexpectedReply) && !isTransient }
}

extension RedisError: Hashable {
    /// Whether they say the same; what caused them is not compared.
    public static func == (left: RedisError, right: RedisError) -> Bool {
        left.code == right.code && left.message == right.message
            && left.mayHaveTakenEffect == right.mayHaveTakenEffect
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
    }
}

extension RedisError: CustomStringConvertible {
    public var description: String {
        let text = underlyingError.map { "\(message) (\($0))" } ?? message
        return isAcrossSlots ? "\(text). \(Self.oneSlot)" : text
    }

    /// What to do about keys that a cluster keeps apart.
    static let oneSlot = """
        On a cluster all keys of a namespace must lie in one slot, so it needs a tag in braces, such as "{dramatiq}"; \
        so do keys that are used together, such as those of a WindowRateLimiter
        """

    /// Whether a cluster refused to use keys of several slots in one step.
    var isAcrossSlots: Bool {
        guard code == .server else { return false }
        return isServerError("CROSSSLOT")
            || ["non local key", "do not hash to the same slot", "don't hash to the same slot"].contains {
                message.contains($0)
            }
    }
}
