import Dramatiq
import DramatiqTestKit
import TestSupport
import Testing

/// The promises to the in-memory transport, and to workflows over it.
@Suite(.timeLimit(.minutes(10))) struct InMemoryTransportConformanceTests {
    @Test(
        arguments: TransportPromises.all.claimed(by: InMemoryTransportSubject.transportClaims),
        [InMemoryTransport.Fidelity.values, .bytes])
    func messages(promise: Promise<any TransportSubject>, fidelity: InMemoryTransport.Fidelity) async throws {
        try await promise.check(
            InMemoryTransportSubject(claims: InMemoryTransportSubject.transportClaims, fidelity: fidelity))
    }

    /// As far as they have defaults, operations are these.
    @Test(
        arguments: OperationsPromises.all.claimed(by: InMemoryTransportSubject.transportClaims.subtracting([.pausing])))
    func operationsThatAreOnlyWhatTheyHaveToBe(promise: Promise<any TransportSubject>) async throws {
        try await promise.check(
            InMemoryTransportSubject(
                claims: InMemoryTransportSubject.transportClaims, wrapping: { PlainTransport($0) }))
    }

    /// A transport may have none, which is an error for who asks for them.
    @Test func operationsMayBeMissing() throws {
        struct Mute: TransportWrapper {
            let base: any Transport = InMemoryTransport()
            var operations: (any QueueOperations)? { nil }
        }
        #expect(throws: OperationNotSupported("operations")) { try Broker(transport: Mute()).operations }
        #expect(throws: Never.self) { try Broker(transport: InMemoryTransport()).operations }
    }

    @Test func pausingMayBeMissing() async throws {
        let broker = Broker(transport: PlainTransport(InMemoryTransport()))
        await #expect(throws: OperationNotSupported("pause")) { try await broker.pause(queue: "default") }
        await #expect(throws: OperationNotSupported("resume")) { try await broker.resume(queue: "default") }
    }

    @Test(
        arguments: WorkflowPromises.all.claimed(by: InMemoryTransportSubject.workflowClaims),
        [InMemoryTransport.Fidelity.values, .bytes])
    func workflows(promise: Promise<any TransportSubject>, fidelity: InMemoryTransport.Fidelity) async throws {
        try await promise.check(
            InMemoryTransportSubject(claims: InMemoryTransportSubject.workflowClaims, fidelity: fidelity))
    }

    /// A store apart, which takes several steps as a whole or one at a time.
    @Test(
        arguments: WorkflowPromises.all.claimed(by: InMemoryTransportSubject.splitClaims),
        [StateAtomicity.commit, .key])
    func workflowsWithAStoreApart(promise: Promise<any TransportSubject>, atomicity: StateAtomicity) async throws {
        try await promise.check(
            InMemoryTransportSubject(
                claims: InMemoryTransportSubject.splitClaims, storing: { StoreApart($0, atomicity: atomicity) }))
    }

    @Test func littleIsNotClaimed() {
        let promises = TransportPromises.all.notClaimed(by: InMemoryTransportSubject.transportClaims)
        #expect(
            promises.reduce(into: Set()) { $0.formUnion($1.needs) }
                .subtracting(InMemoryTransportSubject.transportClaims) == [
                    .lostAnswers, .kills, .cuts, .restarts, .crashCounts, .steadyCommits,
                ])
        #expect(WorkflowPromises.all.notClaimed(by: InMemoryTransportSubject.workflowClaims).map(\.needs) == [[.kills]])
    }
}
