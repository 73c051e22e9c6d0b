package import Dramatiq

/// Runs what blocks on threads of the program's own.
package enum BlockingWork {
    private static let threads = BlockingThreads(count: 64)

    /// Runs a closure on one of the threads; see `BlockingThreads`.
    package static func run<Value: Sendable>(
        _ work: @escaping @Sendable (Cancellation) throws -> Value
    ) async throws -> Value {
        try await threads.run(work)
    }
}
