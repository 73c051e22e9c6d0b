public import Dramatiq

/// What went wrong between this process and its Memcached servers.
public struct MemcachedError: Error, Sendable {
    /// What kind of error it is. More may be added.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// The server answered with an error: it is out of memory, a value is too large.
        public static let server = Code("server")
        /// No connection could be made.
        public static let connectionFailed = Code("connectionFailed")
        /// The connection was lost before the answer came.
        public static let connectionClosed = Code("connectionClosed")
        /// The answer did not come in time.
        public static let commandTimeout = Code("commandTimeout")
        /// Too many commands wait for their answers.
        public static let queueFull = Code("queueFull")
        /// The client was shut down.
        public static let clientClosed = Code("clientClosed")
        /// The server sent what the protocol doesn't allow, or more than the limits do.
        public static let malformedReply = Code("malformedReply")
        /// A key that no server takes: it is empty, longer than 250 bytes, or has a space or a control character.
        public static let invalidKey = Code("invalidKey")
        /// A server or an option that can't be used.
        public static let invalidConfiguration = Code("invalidConfiguration")
    }

    public let code: Code
    /// For a person to read; for ``Code/server`` what the server sent.
    public let message: String
    /// The server, as host and port; `nil` if none had a part in it.
    public let server: String?
    /// Whether the command may have been run: it was sent, and there was no answer.
    public let mayHaveTakenEffect: Bool
    /// What caused it, if something else did.
    public let underlyingError: (any Error)?

    /// - Parameters:
    ///   - code: the sort of error.
    ///   - message: for a person to read; for ``Code/server`` what the server sent.
    ///   - server: the server, as host and port.
    ///   - mayHaveTakenEffect: whether the command may have been run. Defaults to `false`.
    ///   - underlyingError: what caused it.
    public init(
        _ code: Code,
        _ message: String,
        server: String? = nil,
        mayHaveTakenEffect: Bool = false,
        underlyingError: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.server = server
        self.mayHaveTakenEffect = mayHaveTakenEffect
        self.underlyingError = underlyingError
    }
}

extension MemcachedError {
    static func old(server: String) -> MemcachedError {
        MemcachedError(
            .server, "It doesn't understand the meta commands: Memcached 1.6 or later is needed", server: server)
    }
}

extension MemcachedError: TransientError {
    /// Whether it is an outage that will be over: no connection, no answer, a server that is out of memory.
    public var isTransient: Bool {
        switch code {
        case .connectionFailed, .connectionClosed, .commandTimeout, .queueFull: true
        case .server: message.hasPrefix("SERVER_ERROR") && !message.contains("too large")
        default: false
        }
    }
}

extension MemcachedError: CustomStringConvertible {
    public var description: String {
        let place = server.map { " (server \($0))" } ?? ""
        return underlyingError.map { "\(message)\(place): \($0)" } ?? message + place
    }
}
