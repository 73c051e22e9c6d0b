import Dramatiq
import DramatiqWorkflow
import Synchronization

/// Keeps callbacks in messages, and fails as often as it is told.
final class FailingStorage: CallbackStorage {
    struct Broken: Error {}

    private let failures = Mutex(0)

    func fail(times: Int) { failures.withLock { $0 = times } }

    private func step() throws {
        let fails = failures.withLock { failures in
            defer { failures = max(0, failures - 1) }
            return failures > 0
        }
        if fails { throw Broken() }
    }

    func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try step()
        return try await InlineCallbackStorage().store(callbacks)
    }

    func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try step()
        return try await InlineCallbackStorage().retrieve(reference)
    }
}
