import Foundation
import UnixSignals

/// Ends what a command does in order when its process is told to end.
enum Interruption {
    private static let signals: [UnixSignal] = [.sigint, .sigterm]

    /// Runs a body, which is cancelled by a signal.
    ///
    /// - Throws: what the body throws, `CancellationError` after a signal.
    static func cancelling(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let received = await UnixSignalsSequence(trapping: signals)
        // What is still to be done, such as printing, must not be without an end.
        defer { for unixSignal in signals { signal(unixSignal.rawValue, SIG_DFL) } }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await body()
                return true
            }
            group.addTask {
                for await _ in received { return false }
                return false
            }
            defer { group.cancelAll() }
            // Whoever is first: the body has ended, or the signal has come and ends it.
            guard try await group.next() == false else { return }
            group.cancelAll()
            while let isDone = try await group.next() { if isDone { return } }
        }
    }
}
