/// Where Memcached servers are, and how patiently they are talked to.
///
///     try MemcachedConfiguration(servers: ["10.0.0.1", "10.0.0.2:11212"])
///
/// The order of the servers counts: a key belongs to one of them by its place in the list, as with pylibmc unless it is
/// told otherwise. So all programs that share keys, those in Python included, list the same servers in the same order.
public struct MemcachedConfiguration: Sendable, Hashable {
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

    /// The servers. At least one.
    public var servers: [Address]
    /// How long making a connection may take. Defaults to 5 s.
    public var connectTimeout: Duration
    /// How long a command may wait for its answer once there is a connection. A server that owes an answer for longer
    /// loses its connection, and the commands behind it fail with it. Defaults to 5 s.
    public var commandTimeout: Duration
    /// The pause after the first attempt to connect that failed. It doubles after each further one, and from half of it
    /// up to all of it is waited; commands fail at once meanwhile. Defaults to 50 ms.
    public var minBackoff: Duration
    /// The longest pause between attempts. Defaults to 2 s.
    public var maxBackoff: Duration
    /// How many commands may wait to be sent to one server or answered by it, before the next are refused. Defaults to
    /// 10 000.
    public var maxPendingCommands: Int

    public init(servers: [Address] = [.host("127.0.0.1", port: Self.defaultPort)]) {
        self.servers = servers
        connectTimeout = .seconds(5)
        commandTimeout = .seconds(5)
        minBackoff = .milliseconds(50)
        maxBackoff = .seconds(2)
        maxPendingCommands = 10_000
    }

    /// Memcached's port unless it is told otherwise.
    public static let defaultPort = 11_211
}

extension MemcachedConfiguration {
    /// Reads addresses as pylibmc does, so that the list can be shared with Python: `host`, `host:port`, `[::1]`,
    /// `[::1]:port` or the path of a socket. pylibmc's weights and `udp:` are not taken.
    ///
    /// - Throws: ``MemcachedError/Code/invalidConfiguration`` with what is wrong.
    public init(servers: [String]) throws(MemcachedError) {
        var addresses: [Address] = []
        for server in servers { addresses.append(try Self.address(server)) }
        self.init(servers: addresses)
    }

    private static func address(_ text: String) throws(MemcachedError) -> Address {
        if text.hasPrefix("/") { return .unixSocket(path: text) }
        var name = text[...]
        var rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw .invalidServer(text, "an address of IPv6 needs both brackets: [::1]:11211")
            }
            name = text[..<end].dropFirst()
            rest = text[text.index(after: end)...]
        } else {
            name = text.prefix { $0 != ":" }
            rest = text.dropFirst(name.count)
        }
        guard !name.isEmpty, name.unicodeScalars.allSatisfy({ $0.value > 32 && $0.value != 127 }) else {
            throw .invalidServer(text, "it needs a host without spaces and control characters")
        }
        if rest.isEmpty { return .host(String(name), port: defaultPort) }
        guard rest.removeFirst() == ":" else { throw .invalidServer(text, "only ':' and a port can follow a ']'") }
        guard rest.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(rest), port > 0
        else {
            throw .invalidServer(text, "the port is no number from 1 to 65535, and nothing follows it")
        }
        return .host(String(name), port: Int(port))
    }
}

extension MemcachedError {
    fileprivate static func invalidServer(_ text: String, _ reason: String) -> MemcachedError {
        MemcachedError(.invalidConfiguration, "The server \(text.debugDescription) can't be used: \(reason)")
    }
}
