public import Dramatiq
import DramatiqTestKit

extension Duration {
    /// How long tests wait for what should come at once. Only a hang takes that long, however slow the machine is.
    public static let patience = Duration.seconds(300)
}

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

/// Waits until something holds, for as long as tests do.
public func eventually(
    within limit: Duration = .patience,
    file: String = #fileID,
    line: Int = #line,
    _ condition: () async throws -> Bool
) async throws {
    try await eventually(within: limit, "what the test waits for", file: file, line: line, condition)
}

/// Gives what must not happen a chance to happen, where no event could tell that it would have by now.
///
/// A machine that is slow may need longer, so what is checked afterwards can't fail on one: it finds less.
public func giveItAChance() async throws {
    try await Task.sleep(for: .milliseconds(50))
}
