import Foundation
import Synchronization

/// Keeps credentials until shortly before they end. Whoever needs new ones at the same time waits for the same answer.
final class CredentialsCache: Sendable {
    /// How long before their end new ones are asked for. Those that live for a short time are used for half of it.
    private static let margin: TimeInterval = 300
    /// After an attempt that failed, while the old ones still work.
    private static let pause: TimeInterval = 30

    private struct State {
        var current: S3Credentials?
        /// From when on they are to be replaced.
        var due = Date.distantFuture
        var waiting: [Int: CheckedContinuation<S3Credentials, any Error>] = [:]
        var lastID = 0
        /// Asks the provider on behalf of all who wait, and is cancelled when nobody waits any more.
        var request: (id: Int, task: Task<Void, Never>)?
    }

    private let provider: any S3CredentialsProvider
    private let now: @Sendable () -> Date
    private let state = Mutex(State())

    init(_ provider: any S3CredentialsProvider, now: @escaping @Sendable () -> Date = { Date() }) {
        self.provider = provider
        self.now = now
    }

    /// - Throws: what the provider throws; `CancellationError`.
    func credentials() async throws -> S3Credentials {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<S3Credentials, any Error>? = state.withLock { state in
                    if let current = state.current, now() < state.due { return .success(current) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiting[id] = continuation
                    if state.request == nil { state.request = (id, Task { await self.ask(id) }) }
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                defer {
                    if state.waiting.isEmpty {
                        state.request?.task.cancel()
                        state.request = nil
                    }
                }
                return state.waiting.removeValue(forKey: id)
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    /// The server no longer takes them.
    func discard(_ credentials: S3Credentials) {
        state.withLock { state in
            if state.current == credentials { state.current = nil }
        }
    }

    private func ask(_ id: Int) async {
        let result: Result<S3Credentials, any Error>
        do {
            result = .success(try await provider.credentials())
        } catch {
            result = .failure(error)
        }
        // Those who wait, and what they get.
        let ended: ([CheckedContinuation<S3Credentials, any Error>], Result<S3Credentials, any Error>)? =
            state.withLock { state in
                guard state.request?.id == id else { return nil }
                state.request = nil
                defer { state.waiting = [:] }
                return (Array(state.waiting.values), settle(result, &state))
            }
        guard let (waiting, answer) = ended else { return }
        for continuation in waiting { continuation.resume(with: answer) }
    }

    /// What those who wait get: the new credentials, or the old ones if they still work.
    private func settle(
        _ result: Result<S3Credentials, any Error>,
        _ state: inout State
    ) -> Result<S3Credentials, any Error> {
        let now = now()
        switch result {
        case .success(let credentials):
            state.current = credentials
            state.due = .distantFuture
            if let expiration = credentials.expiration {
                let life = max(0, expiration.timeIntervalSince(now))
                state.due = expiration - min(Self.margin, life / 2)
            }
            return result
        case .failure:
            guard let current = state.current, let expiration = current.expiration, now < expiration else {
                return result
            }
            state.due = min(expiration, now + Self.pause)
            return .success(current)
        }
    }
}
