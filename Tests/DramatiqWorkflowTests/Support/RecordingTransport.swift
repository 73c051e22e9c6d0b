import Synchronization
import Testing

@testable import Dramatiq
@testable import DramatiqWorkflow

/// Takes what is sent and keeps it for a test, which processes it by hand.
final class RecordingTransport: Transport {
    struct NotUsed: Error {}

    let backend = InMemoryRateLimiterBackend()
    private let state = Mutex((envelopes: [Envelope](), parties: [Int]()))

    /// The parties of the barriers that were made.
    var parties: [Int] { state.withLock(\.parties) }

    /// What was sent since the last time.
    func take() -> [Envelope] {
        state.withLock { state in
            defer { state.envelopes = [] }
            return state.envelopes
        }
    }

    func declare(queue name: String) async throws {}

    func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws {
        if let barriers { try await #expect(backend.commit(barriers) == .committed) }
        note(envelopes, barriers)
    }

    func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer { throw NotUsed() }

    func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult { throw NotUsed() }

    private func note(_ envelopes: [Envelope], _ barriers: BarrierCommit?) {
        state.withLock { state in
            state.envelopes += envelopes
            state.parties += (barriers?.creations ?? []).map(\.parties)
        }
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
        while let barriers = context.settlement.barriers {
            switch try await backend.commit(barriers) {
            case .opened:
                let proceed = try #require(context.whenBarrierOpens)
                context.whenBarrierOpens = nil
                try await proceed(&context)
            case .committed:
                return note(context.settlement.successors, barriers)
            case .waiting, .alreadyReleased:
                Issue.record("nobody else arrives here")
                return
            }
        }
    }
}
