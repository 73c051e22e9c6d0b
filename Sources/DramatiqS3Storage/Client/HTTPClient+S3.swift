import AsyncHTTPClient
import NIOCore

extension HTTPClient {
    /// The process's client for S3 and metadata services, on the threads that it has anyway. As `HTTPClient.shared`, but it
    /// follows no redirect, since that would take credentials elsewhere, and unpacks nothing.
    static let forS3: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .seconds(5)
        // Whoever sends a request repeats it, and says why if that doesn't help.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 32
        return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()
}

/// Something took too long.
struct TimedOut: Error {}

/// Runs a step that ends when it is cancelled, for so long at most.
///
/// - Throws: what the step throws; ``TimedOut``; `CancellationError`.
func withTimeout<Result: Sendable>(
    _ timeout: Duration,
    _ step: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        defer { group.cancelAll() }
        group.addTask { try await step() }
        group.addTask {
            try await Task.sleep(for: timeout)
            throw TimedOut()
        }
        guard let result = try await group.next() else { throw TimedOut() }
        return result
    }
}
