import Dramatiq
import DramatiqTestKit
import TestSupport
import Testing

/// Operations that are wrong in one way are caught by the promise that is about it.
@Suite(.timeLimit(.minutes(10))) struct BrokenOperationsTests {
    @Test(
        arguments: [
            (.forgetsDelayedMessages, "a status counts what waits, is in flight, delayed and dead"),
            (.forgetsDelayedMessages, "joining a queue waits for delayed messages, too"),
            (.ignoresLimits, "a sample reads messages and changes nothing"),
            (.ignoresOffsets, "dead letters are listed page by page, the oldest first"),
            (.flushesNothing, "flushing removes what waits and what is delayed, and nothing else"),
            (.keepsWhatItRequeues, "many dead letters are requeued, all or those that are meant"),
            (
                .countsOneAfterAnother,
                "a message that goes from queue to queue is always counted in one of them"
            ),
            (.findsAnything, "a dead letter is found by its id, and one that isn't there is an error"),
        ] as [(PlainOperations.Fault, String)])
    func areFoundOut(fault: PlainOperations.Fault, promise: String) async throws {
        let subject = InMemoryTransportSubject(
            claims: InMemoryTransportSubject.transportClaims, wrapping: { PlainTransport($0, fault: fault) })
        try await expectBroken(promise, of: OperationsPromises.all, on: subject)
    }
}
