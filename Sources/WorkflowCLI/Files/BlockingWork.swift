import Dispatch
import Synchronization

/// Runs what blocks (file access, hashing, compressing) on threads of its own, so that it never holds up the tasks that
/// share the cooperative pool.
///
/// There are as many threads as there are calls at the same time, so callers bound how many that is.
enum BlockingWork {
    private static let threads = DispatchQueue(label: "dramatiq-workflow.blocking-work", attributes: .concurrent)

    /// Runs a closure on a thread of its own. Long ones look at the cancellation they are given now and then.
    static func run<Value: Sendable>(
        _ work: @escaping @Sendable (CancellationFlag) throws -> Value
    ) async throws -> Value {
        let cancellation = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                threads.async {
                    continuation.resume(with: Result { try work(cancellation) })
                }
            }
        } onCancel: {
            cancellation.set()
        }
    }
}

/// Tells a thread that the task which waits for it was cancelled.
final class CancellationFlag: Sendable {
    private let isSet = Atomic(false)

    func set() {
        isSet.store(true, ordering: .relaxed)
    }

    /// - Throws: `CancellationError` once the flag is set.
    func check() throws {
        if isSet.load(ordering: .relaxed) { throw CancellationError() }
    }
}
