import Dramatiq
import Synchronization

/// A transport that does as a test tells it before or after it does its work.
final class FaultyTransport: Transport {
    /// What happens at a settlement: may throw instead of it, or after it.
    struct Faults: Sendable {
        var before: @Sendable (Delivery, Settlement) async throws -> Void = { _, _ in }
        var after: @Sendable (Delivery, Settlement, SettlementResult) async throws -> Void = { _, _, _ in }
    }

    let base: InMemoryTransport
    private let faults = Mutex(Faults())

    init(_ base: InMemoryTransport) {
        self.base = base
    }

    func set(_ faults: Faults) {
        self.faults.withLock { $0 = faults }
    }

    var delayedPrefetch: Int { base.delayedPrefetch }
    func declare(queue name: String) async throws { try await base.declare(queue: name) }

    func send(_ envelopes: [Envelope], barriers: BarrierCommit?) async throws {
        try await base.send(envelopes, barriers: barriers)
    }

    func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer {
        try await base.consumer(of: queue, prefetch: prefetch)
    }

    func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult {
        let faults = self.faults.withLock { $0 }
        if settlement.outcome != .requeue { try await faults.before(delivery, settlement) }
        let result = try await base.settle(delivery, settlement)
        if settlement.outcome != .requeue { try await faults.after(delivery, settlement, result) }
        return result
    }
}

/// An outage that will be over at some time.
struct Outage: TransientError {}
/// Something that went wrong.
struct Broken: Error {}
