public import Foundation
public import TestSupport

/// A `redis-server` of a test's own, on a free loopback port, in a temporary directory.
///
/// It dies with the process that started it, however that ends: a shell between them waits for the end of its input.
public final class RedisServer: ProcessServer {
    /// How the server is set up.
    public struct Setup: Sendable {
        /// Lines of its configuration file.
        public var directives: [String] = []
        /// The names in the server's certificate; `nil` for a port without TLS.
        public var certificateNames: String?
        /// What a URL has before the host, such as `:password@`.
        public var credentials = ""
        /// Whether it has a clock of its own.
        public var hasOwnClock = false

        public static let plain = Setup()
        /// Every write is on disk before it is answered.
        public static let appendOnly = Setup(directives: ["appendonly yes", "appendfsync always"])
        /// The default user has the password `secret`, the user `worker` the password `pass/word`.
        public static let password = Setup(
            directives: ["requirepass secret", "user worker on >pass/word ~* &* +@all"],
            credentials: "worker:pass%2Fword@")
        /// Its certificate is signed by ``TestCertificates/authority(in:)``.
        public static let encrypted = Setup(certificateNames: "DNS:localhost,IP:127.0.0.1")
        /// Its certificate is made out to another host.
        public static let misnamed = Setup(certificateNames: "DNS:elsewhere.invalid,IP:127.0.0.9")
        /// Its clock can be set: see ``RedisServer/clock``.
        public static let settable: Setup = {
            var setup = Setup()
            setup.hasOwnClock = true
            return setup
        }()
        /// Two megabytes of memory, and none is freed.
        public static let small = Setup(directives: ["maxmemory 2mb", "maxmemory-policy noeviction"])
    }

    public let directory: URL
    public let setup: Setup
    /// The server's clock, if it has one of its own.
    public let clock: ServerClock?
    public let process: CurrentProcess

    /// Starts a server and waits until it takes commands.
    public init(_ setup: Setup = .plain) async throws {
        self.setup = setup
        directory = FileManager.default.temporaryDirectory.appending(path: "dramatiq-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        process = try CurrentProcess()
        clock = setup.hasOwnClock ? try ServerClock(in: directory) : nil
        if let names = setup.certificateNames { try TestCertificates.make(names: names, in: directory) }
        try await startOnFreePort()
    }

    deinit {
        process.kill()
        try? FileManager.default.removeItem(at: directory)
    }

    private var isEncrypted: Bool { setup.certificateNames != nil }
    /// For a client over TCP.
    public var url: String { "\(isEncrypted ? "rediss" : "redis")://\(setup.credentials)127.0.0.1:\(port)" }
    /// Where the server also listens.
    public var socketPath: String { directory.appending(path: "s").path }

    /// Starts the server again after ``kill()`` or ``stop()``; what is on its disk is there again.
    public func start() async throws {
        let port = isEncrypted ? ["port 0", "tls-port \(port)"] + TestCertificates.directives : ["port \(port)"]
        let directives =
            port + [
                "bind 127.0.0.1", "dir \(directory.path)", "unixsocket \(socketPath)", "save \"\"",
                "enable-debug-command local", "logfile log", "daemonize no",
            ] + setup.directives
        let configuration = directory.appending(path: "redis.conf")
        try directives.joined(separator: "\n").write(to: configuration, atomically: true, encoding: .utf8)
        let log = directory.appending(path: "log")
        try? FileManager.default.removeItem(at: log)
        try await process.start(
            (try clock?.command() ?? []) + ["redis-server", configuration.path],
            until: .says("Ready to accept connections", log: log))
    }
}

/// Runs a test's body beside a server of its own.
public func withRedisServer<Result>(
    _ setup: RedisServer.Setup = .plain,
    _ body: (RedisServer) async throws -> Result
) async throws -> Result {
    let server = try await RedisServer(setup)
    defer { server.kill() }
    return try await body(server)
}
