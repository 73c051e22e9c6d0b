import Foundation

/// A `memcached` of a test's own, on a free loopback port.
///
/// It dies with the process that started it, however that ends.
public final class MemcachedServer: ProcessServer {
    private let arguments: [String]
    public let process: CurrentProcess

    /// Starts a server and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - megabytes: how much memory it has.
    ///   - arguments: more of its options.
    public init(megabytes: Int = 64, arguments: [String] = []) async throws {
        self.arguments = ["-m", "\(megabytes)"] + arguments
        process = try CurrentProcess()
        try await startOnFreePort()
    }

    deinit {
        process.kill()
    }

    /// As clients take it.
    public var address: String { "127.0.0.1:\(port)" }

    /// Starts the server again after ``kill()``; it knows nothing any more.
    public func start() async throws {
        let user = getuid() == 0 ? ["-u", "root"] : []
        try await process.start(
            ["memcached", "-l", "127.0.0.1", "-p", "\(port)", "-U", "0"] + user + arguments)
    }

    /// When the items end that the server has, as seconds since 1970; -1 for never. They are found by the hash table: by age
    /// some could be missed that the server is moving.
    public func expiries() throws -> [String: Int] {
        var expiries: [String: Int] = [:]
        for line in try LoopbackPort.ask(port, "lru_crawler metadump hash\r\n", until: "END\r\n").split(
            whereSeparator: \.isNewline)
        {
            // As in `key=a%2Fb exp=1700000000 la=…`.
            let parts = line.split(separator: " ")
            guard parts.count > 2, let key = parts[0].dropFirst(4).removingPercentEncoding else { continue }
            expiries[String(key)] = Int(parts[1].dropFirst(4))
        }
        return expiries
    }
}

/// Runs a test's body beside servers of its own.
public func withMemcachedServers<Result>(
    _ count: Int,
    _ body: ([MemcachedServer]) async throws -> Result
) async throws -> Result {
    var servers: [MemcachedServer] = []
    defer { for server in servers { server.kill() } }
    for _ in 0..<count { servers.append(try await MemcachedServer()) }
    return try await body(servers)
}
