import Dramatiq
import Synchronization

/// Counts the messages that are sent, and the bytes that they take on the wire.
final class CountingTransport: Transport {
    struct Counts: Sendable, Equatable {
        var messages = 0
        var bytes = 0
        var largest = 0
    }

    private let base: InMemoryTransport
    private let state = Mutex(Counts())

    init(_ base: InMemoryTransport) {
        self.base = base
    }

    var counts: Counts { state.withLock(\.self) }
    var delayedPrefetch: Int { base.delayedPrefetch }

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
        for envelope in envelopes {
            let size = try envelope.encoded().count
            state.withLock { counts in
                counts.messages += 1
                counts.bytes += size
                counts.largest = max(counts.largest, size)
            }
        }
    }
}
