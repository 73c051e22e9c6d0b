import Dramatiq
import DramatiqWorkflow
import Synchronization

/// Takes what is sent and keeps it for a test, which processes it by hand.
final class RecordingTransport: Transport {
    struct NotUsed: Error {}

    let backend = InMemoryRateLimiterBackend()
    private let state = Mutex((envelopes: [Envelope](), parties: [Int]()))

    let traits = TransportTraits()

    /// The parties of the barriers that were made.
    var parties: [Int] { state.withLock(\.parties) }

    /// What was sent since the last time.
    func take() -> [Envelope] {
        state.withLock { state in
            defer { state.envelopes = [] }
            return state.envelopes
        }
    }

    func includes(_ store: any StateStore) -> Bool { true }
    func declare(queue name: String) async throws {}

    func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
        throw NotUsed()
    }

    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        var results: [Result<CommitResult, any Error>] = []
        for commit in commits {
            do {
                results.append(.success(try await execute(commit)))
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    private func execute(_ commit: Commit) async throws -> CommitResult {
        switch try await commit.state?.store.apply(commit.state ?? StateCommit(store: backend)) {
        case .opened: return CommitResult(.opened)
        case .waiting, .alreadyReleased: return CommitResult(.notReleased)
        case .committed, nil: break
        }
        state.withLock { state in
            state.envelopes += Array(commit.sends) + Array(commit.successors)
            state.parties += (commit.state?.creations ?? []).map(\.parties)
        }
        return CommitResult(.committed)
    }

    /// Does what follows from a message that has succeeded.
    func process(
        _ message: Message,
        _ actor: any AnyTaskActor,
        _ broker: Broker,
        _ middleware: WorkflowMiddleware
    ) async throws {
        var context = MessageContext(broker: broker, message: message, actor: actor)
        try await middleware.beforeAck(&context)
        try await context.commitThrough { try await self.commit($0) }
    }
}
