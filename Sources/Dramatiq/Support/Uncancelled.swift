import Synchronization

/// Runs a step to its end also if the task that waits for it is cancelled, before or meanwhile: for what gives back what
/// was taken, and for what takes something that has to be given back.
///
/// - Parameters:
///   - patience: how long the step may go on after the cancellation. Then it is cancelled itself, and still waited for.
///   - step: what is to be done.
package func uncancelled<Result: Sendable>(
    patience: Duration = .seconds(5),
    _ step: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let work = Task { try await step() }
    let limit = Mutex<Task<Void, Never>?>(nil)
    defer { limit.withLock { $0?.cancel() } }
    return try await withTaskCancellationHandler {
        try await work.value
    } onCancel: {
        // It ends with the work, or a moment after that.
        let timer = Task {
            try? await Task.sleep(for: patience)
            work.cancel()
        }
        limit.withLock { $0 = timer }
    }
}
