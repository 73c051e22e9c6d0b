import Dramatiq
import DramatiqTestKit
import TestSupport
import Testing

/// Pausing that is wrong in one way is caught.
@Suite(.timeLimit(.minutes(10))) struct BrokenPauseTests {
    enum Fault: Sendable {
        case onlySaysSo, saysNothing, resumesNothing, takesBackNothing, losesWhatWaits
    }

    /// A transport whose pausing has a fault.
    private struct Tampered: TransportWrapper, QueueOperations {
        let base: any Transport
        let memory: InMemoryTransport
        let fault: Fault

        init(_ memory: InMemoryTransport, _ fault: Fault) {
            base = memory
            self.memory = memory
            self.fault = fault
        }

        func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
            let consumer = try await memory.consumer(of: queue, options)
            return fault == .takesBackNothing ? Ignorant(base: consumer) : consumer
        }

        func pause(queue: String) async throws {
            if fault != .onlySaysSo { try await memory.pause(queue: queue) }
        }

        func resume(queue: String) async throws {
            if fault == .losesWhatWaits { memory.flush(queue: queue) }
            if fault != .resumesNothing { await memory.resume(queue: queue) }
        }

        func status(queue: String) async throws -> QueueStatus {
            var status = memory.status(queue: queue)
            if fault == .onlySaysSo { status.isPaused = true }
            if fault == .saysNothing { status.isPaused = false }
            return status
        }

        func queueNames() async throws -> [String] { memory.queueNames() }
        func sample(queue: String, limit: Int) async throws -> [QueuedMessage] {
            memory.sample(queue: queue, limit: limit)
        }
        func unfinishedCount(queues: [String]) async throws -> Int { memory.unfinishedCount(queues: queues) }
        func flush(queue: String) async throws -> Int { memory.flush(queue: queue) }
        func deadLetters(queue: String, offset: Int, limit: Int) async throws -> [DeadLetter] { [] }
        func deadLetter(_ id: String, queue: String) async throws -> DeadLetter {
            try memory.deadLetter(id, queue: queue)
        }
        func requeueDeadLetter(_ id: String, queue: String, encoder: any MessageEncoder) async throws {}
        func removeDeadLetter(_ id: String, queue: String) async throws {}
    }

    /// A consumer that knows nothing of pauses.
    private final class Ignorant: TransportConsumer {
        let base: any TransportConsumer

        init(base: any TransportConsumer) {
            self.base = base
        }

        func next(limit: Int) async throws -> [Delivery] { try await base.next(limit: limit) }
        func close() async { await base.close() }
    }

    private static let taking = "nothing is taken from a paused queue, and all of it once that is resumed"

    @Test(
        arguments: [
            (.onlySaysSo, taking),
            (.onlySaysSo, "a delayed message that is due waits in a paused queue"),
            (.saysNothing, taking),
            (.saysNothing, "a paused queue is known by its name, and others go on"),
            (.resumesNothing, taking),
            (.losesWhatWaits, taking),
            (.losesWhatWaits, "a successor waits in a paused queue"),
            (.losesWhatWaits, "a paused queue can be flushed, and joining it waits"),
            (.takesBackNothing, "what a worker has not begun of a queue that is paused goes back in its order"),
        ] as [(Fault, String)])
    func isFoundOut(fault: Fault, promise: String) async throws {
        let subject = InMemoryTransportSubject(
            claims: InMemoryTransportSubject.transportClaims, patience: .seconds(2),
            wrapping: { Tampered($0, fault) })
        try await expectBroken(promise, of: OperationsPromises.all, on: subject)
    }
}
