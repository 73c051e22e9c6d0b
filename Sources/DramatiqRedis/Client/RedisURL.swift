extension RedisConfiguration {
    /// Reads a URL, as redis-py does, so that it can be shared with Python.
    ///
    /// - `redis://[user[:password]@]host[:port][/database]`
    /// - `rediss://…`, the same, encrypted
    /// - `unix://[user[:password]@]/path/of/socket` or `redis+unix://…`
    ///
    /// An empty user is the default one. What has a meaning in a URL is written as `%` and two hexadecimal digits.
    /// After a `?` there may be redis-py's options:
    ///
    /// - `db`, `username`, `password`, `client_name`
    /// - `socket_connect_timeout` and `socket_timeout`: ``connectTimeout`` and ``commandTimeout`` in seconds
    /// - for `rediss`: `ssl_cert_reqs` (`required`, `optional` or `none`), `ssl_check_hostname`, `ssl_ca_certs`,
    ///   `ssl_certfile`, `ssl_keyfile`
    /// - those that mean nothing here and change nothing: `protocol`, `health_check_interval`, `max_connections`,
    ///   `socket_keepalive`, `socket_read_size`, `retry_on_timeout`, `retry_on_error`, `timeout`, `encoding`,
    ///   `encoding_errors`, `decode_responses`, `legacy_responses`, `lib_name`, `lib_version`
    ///
    /// Others are an error, and so is a database that is no number, which redis-py passes over.
    ///
    /// - Throws: ``RedisError/Code/invalidConfiguration`` with what is wrong. It never repeats a password.
    public init(url: String) throws(RedisError) {
        let parts = try RedisURLParts(url)
        self.init(address: try parts.address())
        if case .rediss = parts.scheme { encryption = RedisEncryption() }
        if case .host = address.place { try readDatabase(try parts.database()) }
        for (name, value) in try parts.options() { try readOption(name, value, parts) }
        let (user, password) = try parts.credentials()
        if let user { self.user = user }
        if let password { self.password = password }
    }

    private mutating func readDatabase(_ text: String) throws(RedisError) {
        if text.isEmpty { return }
        guard let database = Int(text), database >= 0 else {
            throw .invalidURL("the database is no number from 0 on")
        }
        self.database = database
    }

    /// Options of redis-py that mean nothing here.
    private static let unusedOptions: Set = [
        "health_check_interval", "max_connections", "socket_keepalive", "socket_read_size", "retry_on_timeout",
        "retry_on_error", "timeout", "encoding", "encoding_errors", "decode_responses", "legacy_responses", "lib_name",
        "lib_version",
    ]

    private static let usedOptions: Set = [
        "db", "username", "password", "client_name", "socket_timeout", "socket_connect_timeout", "protocol",
    ]

    private mutating func readOption(
        _ name: String,
        _ value: String,
        _ parts: RedisURLParts
    ) throws(RedisError) {
        if Self.unusedOptions.contains(name) { return }
        switch name {
        case _ where value.isEmpty && (Self.usedOptions.contains(name) || name.hasPrefix("ssl_")): break
        case "db": try readDatabase(value)
        case "username": user = value
        case "password": password = value
        case "client_name": clientName = value
        case "socket_timeout": commandTimeout = try Self.seconds(name, value)
        case "socket_connect_timeout": connectTimeout = try Self.seconds(name, value)
        case "protocol":
            guard value == "2" || value == "3" else { throw .invalidURL("option 'protocol' is 2 or 3") }
        case _ where name.hasPrefix("ssl_"): try readEncryption(name, value)
        default: throw parts.unknownOption(name)
        }
    }

    private mutating func readEncryption(_ name: String, _ value: String) throws(RedisError) {
        guard var encryption else { throw .invalidURL("option '\(name)' needs rediss://") }
        switch (name, value.lowercased()) {
        case ("ssl_cert_reqs", "required"), ("ssl_cert_reqs", "optional"): break
        case ("ssl_cert_reqs", "none"): encryption.verification = .none
        case ("ssl_cert_reqs", _): throw .invalidURL("option 'ssl_cert_reqs' is required, optional or none")
        case ("ssl_check_hostname", "false"), ("ssl_check_hostname", "f"), ("ssl_check_hostname", "no"),
            ("ssl_check_hostname", "n"), ("ssl_check_hostname", "0"):
            if encryption.verification == .full { encryption.verification = .certificateOnly }
        case ("ssl_check_hostname", _): break
        case ("ssl_ca_certs", _): encryption.trustedCertificates = value
        case ("ssl_certfile", _): encryption.certificateChain = value
        case ("ssl_keyfile", _): encryption.privateKey = value
        // What is not looked at must not seem to protect anybody.
        default: throw .invalidURL("option '\(name)' can't be used here")
        }
        self.encryption = encryption
    }

    private static func seconds(_ name: String, _ value: String) throws(RedisError) -> Duration {
        guard let seconds = Double(value), seconds.isFinite, seconds > 0 else {
            throw .invalidURL("option '\(name)' is a number of seconds above 0")
        }
        return .seconds(min(seconds, 3e9)).boundedForRedis(atLeast: .milliseconds(1))
    }
}

extension RedisError {
    static func invalidURL(_ reason: String) -> RedisError {
        RedisError(.invalidConfiguration, "The URL can't be used: \(reason)")
    }
}
