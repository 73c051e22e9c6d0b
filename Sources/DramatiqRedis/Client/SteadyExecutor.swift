/// Runs commands whatever becomes of the task that waits for them.
protocol SteadyExecutor: Sendable {
    /// As ``RedisExecutor/execute(_:)``, but for the cancellation of the task.
    ///
    /// - Throws: ``RedisError`` if it fails or can't be sent, `CancellationError` if the waiting is given up. A command
    ///   that was sent may have been run all the same.
    func execute(_ command: RedisCommand, _ wait: AnswerWait) async throws -> RESPValue
}

/// Makes any executor a steady one, by a task of its own for each command.
final class TaskShield: SteadyExecutor {
    private let executor: any RedisExecutor

    init(_ executor: any RedisExecutor) {
        self.executor = executor
    }

    func execute(_ command: RedisCommand, _ wait: AnswerWait) async throws -> RESPValue {
        // It is always waited for.
        let task = Task { [executor] in try await executor.execute(command) }
        return try await wait(cancelling: { task.cancel() }) { try await task.value }
    }
}
