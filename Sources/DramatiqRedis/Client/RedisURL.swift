extension RedisConfiguration {
    /// Reads a URL.
    ///
    /// - `redis://[user:password@]host[:port][/database]`
    /// - `rediss://…`, the same, encrypted
    /// - `unix://[user:password@]/path/of/socket` or `redis+unix://…`
    ///
    /// An empty user is the default one. What has a meaning in a URL is written as `%` and two hexadecimal digits.
    /// After a `?` there may be redis-py's options, so that a URL can be shared with Python: `db`, `client_name`, and
    /// for `rediss` `ssl_cert_reqs` (`required` or `none`), `ssl_check_hostname`, `ssl_ca_certs`, `ssl_certfile`,
    /// `ssl_keyfile`.
    ///
    /// - Throws: ``RedisError/Code/invalidConfiguration`` with what is wrong.
    public init(url: String) throws(RedisError) {
        let parts = try URLParts(url)
        self.init(address: try parts.address())
        if case .rediss = parts.scheme { encryption = RedisEncryption() }
        if let userInfo = parts.userInfo { try readUserInfo(userInfo) }
        if case .host = address, !parts.path.isEmpty, parts.path != "/" {
            try readDatabase(parts.path.dropFirst())
        }
        for (name, value) in try parts.options() { try readOption(name, value) }
    }

    private mutating func readUserInfo(_ userInfo: Substring) throws(RedisError) {
        guard let colon = userInfo.firstIndex(of: ":") else {
            throw .invalidURL("a user without a password; write ':password@' for the default user")
        }
        let user = try URLParts.decode(userInfo[..<colon])
        self.user = user.isEmpty ? nil : user
        let password = try URLParts.decode(userInfo[userInfo.index(after: colon)...])
        if !password.isEmpty {
            self.password = password
        } else if self.user != nil {
            throw .invalidURL("a user without a password")
        }
    }

    private mutating func readDatabase(_ text: some StringProtocol) throws(RedisError) {
        guard let database = Int(text), database >= 0 else { throw .invalidURL("'\(text)' is no number of a database") }
        self.database = database
    }

    private mutating func readOption(_ name: String, _ value: String) throws(RedisError) {
        switch name {
        case "db": return try readDatabase(value)
        case "client_name": return clientName = value
        default: break
        }
        guard var encryption else { throw .invalidURL("option '\(name)' is unknown or needs rediss://") }
        switch (name, value.lowercased()) {
        case ("ssl_cert_reqs", "required"): break
        case ("ssl_cert_reqs", "none"): encryption.verification = .none
        case ("ssl_check_hostname", "true"), ("ssl_check_hostname", "1"): break
        case ("ssl_check_hostname", "false"), ("ssl_check_hostname", "0"):
            if encryption.verification == .full { encryption.verification = .certificateOnly }
        case ("ssl_ca_certs", _): encryption.trustedCertificates = value
        case ("ssl_certfile", _): encryption.certificateChain = value
        case ("ssl_keyfile", _): encryption.privateKey = value
        default: throw .invalidURL("option '\(name)' is unknown or can't be '\(value)'")
        }
        self.encryption = encryption
    }
}

extension RedisError {
    fileprivate static func invalidURL(_ reason: String) -> RedisError {
        RedisError(.invalidConfiguration, "The URL can't be used: \(reason)")
    }
}

/// The parts of a URL, not decoded yet. Errors don't repeat the URL, for it may hold a password.
private struct URLParts {
    enum Scheme: String {
        case redis, rediss, unix
        case redisUnix = "redis+unix"
    }

    let scheme: Scheme
    let userInfo: Substring?
    let host: Substring
    let path: Substring
    let query: Substring?

    init(_ url: String) throws(RedisError) {
        guard let colon = url.firstIndex(of: ":"), let scheme = Scheme(rawValue: url[..<colon].lowercased()),
            url[colon...].hasPrefix("://")
        else { throw .invalidURL("it must start with redis://, rediss://, unix:// or redis+unix://") }
        self.scheme = scheme
        var rest = url[colon...].dropFirst(3)
        if rest.contains("#") { throw .invalidURL("it has a fragment ('#')") }
        query = rest.firstIndex(of: "?").map { rest[rest.index(after: $0)...] }
        rest = rest.prefix { $0 != "?" }
        let authority = rest.prefix { $0 != "/" }
        path = rest.dropFirst(authority.count)
        if let at = authority.lastIndex(of: "@") {
            userInfo = authority[..<at]
            host = authority[authority.index(after: at)...]
        } else {
            userInfo = nil
            host = authority
        }
    }

    func address() throws(RedisError) -> RedisConfiguration.Address {
        switch scheme {
        case .unix, .redisUnix:
            guard host.isEmpty, path.count > 1 else {
                throw .invalidURL("the path of a socket must follow, with three slashes in all")
            }
            return .unixSocket(path: try Self.decode(path))
        case .redis, .rediss:
            var name = host
            var port: Substring?
            if host.hasPrefix("["), let bracket = host.firstIndex(of: "]") {
                name = host[..<bracket].dropFirst()
                let rest = host[host.index(after: bracket)...]
                if rest.hasPrefix(":") { port = rest.dropFirst() } else if !rest.isEmpty { port = rest }
            } else if let colon = host.lastIndex(of: ":") {
                name = host[..<colon]
                port = host[host.index(after: colon)...]
            }
            let number = port.map { UInt16($0) ?? 0 } ?? 6379
            guard number > 0 else { throw .invalidURL("the port is no number from 1 to 65535") }
            let decoded = try Self.decode(name)
            return .host(decoded.isEmpty ? "localhost" : decoded, port: Int(number))
        }
    }

    func options() throws(RedisError) -> [(name: String, value: String)] {
        var options: [(name: String, value: String)] = []
        for option in (query ?? "").split(separator: "&") {
            let name = option.prefix { $0 != "=" }
            options.append((try Self.decode(name), try Self.decode(option.dropFirst(name.count + 1))))
        }
        return options
    }

    /// Replaces `%41` by `A` and so on.
    static func decode(_ text: Substring) throws(RedisError) -> String {
        guard text.contains("%") else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte != UInt8(ascii: "%") {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let decoded = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { throw .invalidURL("two hexadecimal digits must follow '%'") }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .invalidURL("it is not UTF-8") }
        return decoded
    }
}
