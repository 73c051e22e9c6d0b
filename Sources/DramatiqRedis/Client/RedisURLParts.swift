import NIOCore

/// The parts of a Redis URL, not decoded yet. Errors repeat nothing that may be of a password.
struct RedisURLParts {
    enum Scheme: String {
        case redis, rediss, unix
        case redisUnix = "redis+unix"
    }

    let scheme: Scheme
    private let userInfo: Substring?
    private let host: Substring
    private let path: Substring
    private let query: Substring
    /// Whether what follows the host has an `@`, as if a user or a password were cut off.
    private let isCutOff: Bool

    init(_ url: String) throws(RedisError) {
        let url = url.drop { $0.isWhitespace }
        let trimmed = url.prefix(url.count - url.reversed().prefix { $0.isWhitespace }.count)
        guard let colon = trimmed.firstIndex(of: ":"), let scheme = Scheme(rawValue: trimmed[..<colon].lowercased()),
            trimmed[colon...].hasPrefix("://")
        else { throw .invalidURL("it must start with redis://, rediss://, unix:// or redis+unix://") }
        self.scheme = scheme
        let rest = trimmed[colon...].dropFirst(3)
        let authority = rest.prefix { !"/?#".contains($0) }
        let afterwards = rest.dropFirst(authority.count)
        if let at = authority.lastIndex(of: "@") {
            userInfo = authority[..<at]
            host = authority[authority.index(after: at)...]
        } else {
            userInfo = nil
            host = authority
        }
        path = afterwards.prefix { $0 != "?" && $0 != "#" }
        query = afterwards.dropFirst(path.count).dropFirst()
        isCutOff = userInfo == nil && afterwards.contains("@")
        if afterwards.contains("#") { throw wrong("it has a fragment ('#')") }
        if isCutOff, path.contains("@"), !authority.isEmpty { throw wrong("a '/' stands before the '@'") }
    }

    /// An error that says how special characters are written if that may be what is wrong.
    private func wrong(_ reason: String) -> RedisError {
        let hint = "; in a user or a password '/', '?', '#' and '@' are written %2F, %3F, %23 and %40"
        return .invalidURL(isCutOff || reason.contains("#") ? reason + hint : reason)
    }

    func unknownOption(_ name: String) -> RedisError {
        wrong(isCutOff ? "an option is unknown" : "option '\(name)' is unknown")
    }

    func address() throws(RedisError) -> RedisConfiguration.Address {
        switch scheme {
        case .unix, .redisUnix:
            guard host.isEmpty, path.count > 1 else {
                throw wrong("the path of a socket must follow, with three slashes in all")
            }
            return .unixSocket(path: try decode(path))
        case .redis, .rediss:
            let (name, port) = try hostAndPort()
            let decoded = try decode(name)
            guard !decoded.unicodeScalars.contains(where: { $0.value <= 32 || $0.value == 127 }) else {
                throw wrong("the host has a space or a control character")
            }
            return .host(decoded.isEmpty ? "localhost" : decoded, port: try number(ofPort: port))
        }
    }

    private func hostAndPort() throws(RedisError) -> (name: Substring, port: Substring) {
        guard host.contains("[") || host.contains("]") else {
            let name = host.prefix { $0 != ":" }
            let port = host.dropFirst(name.count + 1)
            if port.contains(":") { throw wrong("an address of IPv6 stands in brackets: [::1]:6379") }
            return (name, port)
        }
        guard host.hasPrefix("["), let bracket = host.firstIndex(of: "]") else {
            throw wrong("an address of IPv6 needs both brackets: [::1]:6379")
        }
        let name = host[..<bracket].dropFirst()
        let rest = host[host.index(after: bracket)...]
        guard rest.isEmpty || rest.hasPrefix(":") else { throw wrong("only ':' and a port can follow a ']'") }
        // A zone may follow, such as %25eth0.
        let address = name.prefix { $0 != "%" }
        guard address.contains(":"), (try? SocketAddress(ipAddress: String(address), port: 0)) != nil else {
            throw wrong("between brackets stands an address of IPv6")
        }
        return (name, rest.dropFirst())
    }

    private func number(ofPort text: Substring) throws(RedisError) -> Int {
        if text.isEmpty { return 6379 }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt16(text), number > 0
        else { throw wrong("the port is no number from 1 to 65535") }
        return Int(number)
    }

    /// The database that the path names; empty if it names none.
    func database() throws(RedisError) -> String {
        let path = try decode(path)
        let names = path.split(separator: "/")
        if names.count > 1 { throw wrong("more than the number of a database follows the host") }
        return names.first.map(String.init) ?? ""
    }

    func credentials() throws(RedisError) -> (user: String?, password: String?) {
        guard let userInfo else { return (nil, nil) }
        let user = userInfo.prefix { $0 != ":" }
        let password = userInfo.dropFirst(user.count + 1)
        return (user.isEmpty ? nil : try decode(user), password.isEmpty ? nil : try decode(password))
    }

    /// Names and values; of several with the same name the first counts.
    func options() throws(RedisError) -> [(name: String, value: String)] {
        var options: [(name: String, value: String)] = []
        for option in query.split(separator: "&") {
            let name = try decode(option.prefix { $0 != "=" }, isOption: true)
            let value = try decode(option.dropFirst(name.count + 1), isOption: true)
            guard !options.contains(where: { $0.name == name }) else { continue }
            options.append((name, value))
        }
        return options
    }

    /// Replaces `%41` by `A` and so on, in an option also `+` by a space.
    private func decode(_ text: Substring, isOption: Bool = false) throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte != UInt8(ascii: "%") {
                bytes.append(isOption && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let decoded = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { throw wrong("two hexadecimal digits must follow '%'") }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw wrong("it is not UTF-8") }
        return decoded
    }
}
