/// How a worker repeats a step that failed after a message's actor ran: storing what comes next, settling, and the
/// like.
///
/// The message is not acknowledged meanwhile. An error that is a ``TransientError`` is waited out for as long as the
/// worker lives, one that is a ``PermanentError`` is not tried again; others count as attempts, and after the last the
/// message becomes a dead letter.
public struct TransitionRetryPolicy: Sendable, Hashable {
    /// How often the step is tried in all. Defaults to 8.
    public var attempts: Int
    /// The pause after the first attempt; it doubles after each further one. Defaults to 100 ms.
    public var minBackoff: Duration
    /// The longest pause. Defaults to 10 s.
    public var maxBackoff: Duration

    public init(
        attempts: Int = 8,
        minBackoff: Duration = .milliseconds(100),
        maxBackoff: Duration = .seconds(10)
    ) {
        self.attempts = max(1, attempts)
        self.minBackoff = max(.milliseconds(1), minBackoff)
        self.maxBackoff = max(minBackoff, maxBackoff)
    }

    /// The pause after a number of failed attempts.
    func backoff(after failures: Int) -> Duration {
        // Neither overflows, whatever somebody has set.
        let longest = min(maxBackoff, .seconds(100 * 365 * 86_400))
        return min(longest, min(minBackoff, longest) * (1 << min(max(failures - 1, 0), 30)))
    }
}

/// Repeats steps by a policy until a worker is out of time.
struct TransitionRetry: Sendable {
    /// The worker's grace period is over before the step worked.
    struct ShuttingDown: Error {}

    let policy: TransitionRetryPolicy
    let shutdown: WorkerShutdown

    /// Runs a step that has failed once again until it works.
    ///
    /// - Throws: the last error after the last attempt, or ``ShuttingDown``.
    func `repeat`(after first: any Error, _ step: () async throws -> Void) async throws {
        var error = first
        // Out of time: it was cut short.
        if error is CancellationError, shutdown.phase >= .forced { throw ShuttingDown() }
        var failures = 1
        var attemptsLeft = Self.isTransient(error) ? policy.attempts : policy.attempts - 1
        while attemptsLeft > 0, !(error is any PermanentError) {
            guard await shutdown.pause(policy.backoff(after: failures)) else { throw ShuttingDown() }
            do {
                return try await step()
            } catch let next {
                error = next
                if error is CancellationError, shutdown.phase >= .forced { throw ShuttingDown() }
                failures += 1
                if !Self.isTransient(error) { attemptsLeft -= 1 }
            }
        }
        throw error
    }

    /// Runs a step that may wait for something elsewhere, and cancels it when the worker is out of time.
    ///
    /// - Throws: what the step throws, or ``ShuttingDown``.
    func limiting<Value: Sendable>(_ step: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await step() }
            group.addTask { [shutdown] in
                await shutdown.wait(for: .over)
                return nil
            }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
                group.cancelAll()
            }
            throw ShuttingDown()
        }
    }

    private static func isTransient(_ error: any Error) -> Bool {
        (error as? any TransientError)?.isTransient ?? false
    }
}
