import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A server of S3 (moto) of a test's own, on a free loopback port, which checks signatures with botocore.
///
/// It dies with the process that started it, however that ends.
public final class S3Server: ProcessServer {
    /// Signs what the server takes.
    public static let accessKeyID = "AKIDTEST"
    public static let secretAccessKey = "secret/of+the-test"
    /// What STS gives credentials for.
    public static let webIdentityToken = "a.web/identity+token"
    public static let region = "eu-central-1"
    private static let program = URL(filePath: #filePath).appending(path: "../Python/s3_server.py").standardized.path

    public let process: CurrentProcess

    /// Starts a server without buckets and waits until it takes connections.
    public init() async throws {
        process = try CurrentProcess()
        try await startOnFreePort()
    }

    deinit {
        process.kill()
    }

    /// As clients take it.
    public var endpoint: String { "http://127.0.0.1:\(port)" }

    /// Starts the server again after ``kill()``; it knows nothing any more.
    public func start() async throws {
        try await process.start([TestPython.path(), Self.program, "\(port)"])
    }

    /// Sets how far the server's clock is ahead.
    public func setClock(ahead time: Duration) async throws {
        try await post("clock/\(time.components.seconds)")
    }

    public func makeBucket(_ name: String) async throws {
        try await post("bucket/\(name)")
    }

    /// Forgets all buckets.
    public func reset() async throws {
        try await post("reset")
    }

    private func post(_ command: String) async throws {
        guard let url = URL(string: "\(endpoint)/test/\(command)") else { throw Disobedient(command: command) }
        var request = URLRequest(url: url)
        request.httpMethod = "POST"
        let (_, response) = try await URLSession.shared.data(for: request)
        guard (response as? HTTPURLResponse)?.statusCode == 200 else {
            throw Disobedient(command: command)
        }
    }

    /// The server doesn't do what it is told.
    public struct Disobedient: Error {
        public let command: String
    }
}
