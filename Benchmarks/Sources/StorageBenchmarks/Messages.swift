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
    _ encoder: any MessageEncoder = JSONMessageEncoder()
) async throws -> Broker {
    let broker = Broker(
        transport: transport, encoder: encoder,
        middleware: Broker.defaultMiddleware + [
            WorkflowMiddleware(backend: InMemoryRateLimiterBackend(), callbackStorage: storage)
        ])
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
    let transport = CountingTransport()
    let broker = try await broker(storage, transport, encoder)
    try await workflow(members: 1_000, broker).run()
    try await Worker(broker, concurrency: 4).run { try await transport.base.joinAll() }
    return transport.bytes.load(ordering: .relaxed)
}

/// Counts the bytes of what is sent, as the encoder writes it.
private final class CountingTransport: Transport {
    let base = InMemoryTransport()
    let bytes = Atomic(0)

    func declare(queue name: String) async throws { try await base.declare(queue: name) }

    func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws {
        try await base.send(envelopes, barriers: barriers)
        try count(envelopes)
    }

    func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer {
        try await base.consumer(of: queue, prefetch: prefetch)
    }

    func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult {
        let result = try await base.settle(delivery, settlement)
        if result == .committed { try count(settlement.enqueues + settlement.successors) }
        return result
    }

    private func count(_ envelopes: [Envelope]) throws {
        for envelope in envelopes { bytes.add(try envelope.encoded().count, ordering: .relaxed) }
    }
}
