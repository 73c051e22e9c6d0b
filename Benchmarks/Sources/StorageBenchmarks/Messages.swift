import BenchmarkSupport
import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqLZ4
import DramatiqWorkflow
import Synchronization

/// Bytes through the broker for a group of 1 000 and then another, and how often the dedup storage asks its store.
func measureMessages(_ session: inout Session) async throws {
    let place = try BenchmarkDirectory()
    let files = StorageDirectory(place.path + "/storage", durability: .processFailure)
    let encoders: [(String, any MessageEncoder)] = [("", JSONMessageEncoder()), (", LZ4", LZ4MessageEncoder())]
    let storages: [(String, any CallbackStorage)] = [
        ("inline", InlineCallbackStorage()), ("file", FileCallbackStorage(files)),
        ("dedup", DedupCallbackStorage(FileWorkflowStore(files))),
    ]
    for (suffix, encoder) in encoders {
        for (storage, callbackStorage) in storages {
            let name = "group(1 000), group(1 000): \(storage)\(suffix)"
            guard session.includes(name) else { continue }
            let bytes = try await bytesThroughTheBroker(callbackStorage, encoder)
            session.add(
                Figure(name, Double(bytes) / 1e6, unit: "MB", limit: storage == "inline" ? nil : 1))
        }
    }
    let name = "dedup store calls for a group of 10 000"
    guard session.includes(name) else { return }
    let store = InMemoryWorkflowStore()
    let broker = try await broker(DedupCallbackStorage(store), InMemoryTransport())
    try await workflow(members: 10_000, broker).run()
    session.add(Figure(name, Double(store.counts.stores), unit: "calls", limit: 1))
}

private let task = TaskActor("noop") { (_: Int) in }

private func broker(
    _ storage: any CallbackStorage,
    _ transport: any Transport,
    _ encoder: any MessageEncoder = JSONMessageEncoder(),
    _ middleware: [any Middleware] = []
) async throws -> Broker {
    let broker = Broker(
        transport: transport, encoder: encoder,
        middleware: Broker.defaultMiddleware + [
            WorkflowMiddleware(backend: InMemoryRateLimiterBackend(), callbackStorage: storage)
        ] + middleware)
    try await broker.declare(task)
    return broker
}

private func workflow(members: Int, _ broker: Broker) -> Workflow {
    Workflow(broker: broker) {
        Chain {
            Group { for number in 0..<members { task.message(number) } }
            Group { for number in 0..<members { task.message(number) } }
        }
    }
}

private func bytesThroughTheBroker(_ storage: any CallbackStorage, _ encoder: any MessageEncoder) async throws -> Int {
    let transport = InMemoryTransport()
    let counter = ByteCounter()
    let broker = try await broker(storage, transport, encoder, [counter])
    try await workflow(members: 1_000, broker).run()
    try await Worker(broker, concurrency: 4).run { try await transport.joinAll() }
    return counter.bytes.load(ordering: .relaxed)
}

/// Counts the bytes of what is sent, as the encoder writes it.
private final class ByteCounter: Middleware, CommitObserver {
    let bytes = Atomic(0)

    func didCommit(_ commit: Commit, _ result: CommitResult) {
        let successors = result.status == .committed ? Array(commit.successors) : []
        for envelope in Array(commit.sends) + successors {
            bytes.add((try? envelope.encoded().count) ?? 0, ordering: .relaxed)
        }
    }
}
