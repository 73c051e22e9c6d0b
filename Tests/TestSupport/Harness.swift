public import Dramatiq

/// Runs a worker for as long as a test's body needs it.
public func withWorker<Result: Sendable>(
    _ worker: Worker,
    _ body: () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await worker.run() }
        let result = try await body()
        group.cancelAll()
        try await group.waitForAll()
        return result
    }
}

/// Waits until something holds; asks often, and fails after a long time.
public func eventually(
    within limit: Duration = .seconds(30),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NeverHeld() }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// What a test waited for did not come true.
public struct NeverHeld: Error {}
