import Dramatiq
import DramatiqTestKit
import DramatiqWorkflow
import TestSupport
import Testing

/// Wrapping a transport, a store, a backend or a storage changes neither what they promise nor how they are used.
@Suite(.timeLimit(.minutes(10))) struct WrappingTests {
    private static let transportClaims = InMemoryTransportSubject.transportClaims

    @Test(arguments: TransportPromises.all.claimed(by: transportClaims))
    func messages(promise: Promise<any TransportSubject>) async throws {
        try await promise.check(
            InMemoryTransportSubject(
                claims: Self.transportClaims, wrapping: { CountedTransport($0) }, storing: { CountedStore($0) }))
    }

    @Test(arguments: WorkflowPromises.all.claimed(by: InMemoryTransportSubject.workflowClaims))
    func workflows(promise: Promise<any TransportSubject>) async throws {
        try await promise.check(
            InMemoryTransportSubject(
                claims: InMemoryTransportSubject.workflowClaims, wrapping: { CountedTransport($0) },
                storing: { CountedStore($0) }))
    }

    @Test(arguments: StateStorePromises.all.claimed(by: InMemoryStateSubject.storeClaims))
    func barriers(promise: Promise<any StateStoreSubject>) async throws {
        try await promise.check(
            InMemoryStateSubject(claims: InMemoryStateSubject.storeClaims, storing: { CountedStore($0) }))
    }

    @Test(arguments: CounterPromises.all.claimed(by: InMemoryStateSubject.counterClaims))
    func counters(promise: Promise<any CounterSubject>) async throws {
        try await promise.check(
            InMemoryStateSubject(claims: InMemoryStateSubject.counterClaims, counting: { CountedBackend($0) }))
    }

    private struct StorageSubject: CallbackStorageSubject {
        func makeStorage() async throws -> any CallbackStorage { CountedStorage(InlineCallbackStorage()) }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: StorageSubject().claims))
    func storages(promise: Promise<any CallbackStorageSubject>) async throws {
        try await promise.check(StorageSubject())
    }

    /// Everything wrapped: no commit waits, none is divided, no callback is read by a call that may.
    @Test func theShortWayIsTheSame() async throws {
        let (transport, store, storage) = (CallCounter(), CallCounter(), CallCounter())
        let memory = InMemoryTransport()
        let broker = Broker(
            transport: CountedTransport(memory, transport),
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(
                    backend: CountedStore(InMemoryRateLimiterBackend(), store),
                    callbackStorage: CountedStorage(InlineCallbackStorage(), storage))
            ])
        let ran = Recorder<String>()
        let task = TaskActor("task") { (name: String) in _ = ran.add(name) }
        try await broker.declare(task)
        let members = (0..<100).map { WorkflowNode.message(task.message("\($0)")) }
        try await Workflow(Chain(Group(children: members), task.message("then"), task.message("end")), broker: broker)
            .run()
        try await withWorker(Worker(broker)) { try await memory.joinAll() }
        #expect(ran.count == 102)
        #expect(transport["commit"] == 0)
        #expect(transport["commitNow"] >= 103)
        // A processor looks for messages itself.
        #expect(transport["takeNow"] > 50)
        #expect(store["apply"] == 0)
        #expect(storage["retrieve"] == 0)
        #expect(storage["retrieveNow"] == 102)
    }
}
