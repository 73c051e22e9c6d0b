/// Where a Redis server is, who talks to it, and how patiently.
///
///     try RedisConfiguration(url: "rediss://worker:secret@redis.example.com:6380/2")
public struct RedisConfiguration: Sendable, Hashable {
    /// The address of a server.
    public struct Address: Sendable, Hashable, CustomStringConvertible {
        enum Place: Sendable, Hashable {
            case host(String, port: Int)
            case unixSocket(path: String)
        }

        let place: Place

        /// A host by its name or numeric address.
        public static func host(_ name: String, port: Int) -> Address { Address(place: .host(name, port: port)) }
        /// A socket in the file system.
        public static func unixSocket(path: String) -> Address { Address(place: .unixSocket(path: path)) }

        public var description: String {
            switch place {
            case .host(let name, let port): name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
            case .unixSocket(let path): path
            }
        }
    }

    /// Where the server is. Defaults to port 6379 of this machine.
    public var address: Address
    /// The user of the server's access control list; `nil` for the default one. Defaults to `nil`.
    public var user: String?
    /// The user's password. Defaults to none.
    public var password: String?
    /// The number of the database. Defaults to 0.
    public var database: Int
    /// How the connection is encrypted; `nil` if it isn't. Defaults to `nil`.
    public var encryption: RedisEncryption?
    /// What the connections are called in the server's `CLIENT LIST`. Defaults to no name.
    public var clientName: String?

    /// How long making a connection may take, from looking up the name to the server's first answer. Defaults
    /// to 5 s.
    public var connectTimeout: Duration
    /// How long a command may wait for its answer, from the moment at which it was handed to the client. After twice
    /// that time without a byte from a server that owes answers, its connection is given up. Defaults to
    /// 15 s.
    public var commandTimeout: Duration
    /// The pause after the first attempt to connect that failed. It doubles after each further one, and from half of it
    /// up to all of it is waited. Defaults to 50 ms.
    public var minBackoff: Duration
    /// The longest pause between attempts. Defaults to 2 s.
    public var maxBackoff: Duration
    /// How many commands may wait to be sent or answered, in all. A pipeline that is larger is let through alone.
    /// Defaults to 100 000.
    public var maxPendingCommands: Int
    /// How many commands may block at a time, each on a connection of its own. Defaults to 256.
    public var maxBlockingConnections: Int
    /// After what time without use a connection for blocking commands is closed. Defaults to a minute.
    public var blockingIdleTimeout: Duration
    /// The bounds on what a server may send.
    public var replyLimits: RESPLimits

    public init(
        address: Address = .host("127.0.0.1", port: 6379),
        user: String? = nil,
        password: String? = nil,
        database: Int = 0,
        encryption: RedisEncryption? = nil
    ) {
        self.address = address
        self.user = user
        self.password = password
        self.database = database
        self.encryption = encryption
        clientName = nil
        connectTimeout = .seconds(5)
        commandTimeout = .seconds(15)
        minBackoff = .milliseconds(50)
        maxBackoff = .seconds(2)
        maxPendingCommands = 100_000
        maxBlockingConnections = 256
        blockingIdleTimeout = .seconds(60)
        replyLimits = RESPLimits()
    }
}

/// Without the password.
extension RedisConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        let user = user.map { "\($0)@" } ?? ""
        return "\(encryption == nil ? "" : "encrypted ")\(user)\(address), database \(database)"
    }

    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(reflecting: description) }
}

/// How a connection to a Redis server is encrypted.
public struct RedisEncryption: Sendable, Hashable {
    /// What is checked about the server's certificate.
    public struct Verification: Sendable, Hashable {
        enum Extent: Sendable, Hashable {
            case full, certificateOnly, none
        }

        let extent: Extent

        /// That it is trusted and made out to the host.
        public static let full = Verification(extent: .full)
        /// That it is trusted.
        public static let certificateOnly = Verification(extent: .certificateOnly)
        /// Nothing: whoever answers is believed.
        public static let none = Verification(extent: .none)
    }

    public var verification: Verification
    /// A file of certificates (PEM) to trust instead of the system's. Defaults to none.
    public var trustedCertificates: String?
    /// A file with this client's certificate and those that sign it (PEM), where the server asks for one. Defaults
    /// to none.
    public var certificateChain: String?
    /// A file with the key of ``certificateChain`` (PEM).
    public var privateKey: String?

    public init(
        verification: Verification = .full,
        trustedCertificates: String? = nil,
        certificateChain: String? = nil,
        privateKey: String? = nil
    ) {
        self.verification = verification
        self.trustedCertificates = trustedCertificates
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// The bounds on what a server may send as one reply. More is an error, and the connection is closed.
public struct RESPLimits: Sendable, Hashable {
    /// How many bytes a reply may have on the wire. Redis itself allows 512 MiB for a string. Defaults to
    /// 1 GiB.
    public var replySize: Int
    /// How many bytes of memory the values of a reply may take while it is read; many small ones take a multiple of their
    /// bytes. Defaults to 256 MiB.
    public var memory: Int
    /// How many levels of arrays, sets and maps may lie in each other. Defaults to 64.
    public var depth: Int
    /// How many bytes a line may have: a number, a simple string; and an error. Defaults to 64 KiB.
    public var lineLength: Int

    public init(
        replySize: Int = 1 << 30, depth: Int = 64, lineLength: Int = 1 << 16, memory: Int = 256 << 20
    ) {
        self.replySize = replySize
        self.memory = memory
        self.depth = depth
        self.lineLength = lineLength
    }
}
