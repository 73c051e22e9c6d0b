import Dramatiq
import HeapModule
import Synchronization

/// Takes messages from a delay queue, and hands them out when they are due.
///
/// The ids of all that is delayed are taken, as a worker of Python takes them, so that they are this worker's until it
/// leaves or dies; but only ids and times stay in memory. So a message never waits for another one that was delayed
/// for longer. Beyond a limit those that are due last go back to the end of the queue, and the rest of the queue is
/// looked at little by little.
final class RedisDelayedConsumer: TransportConsumer {
    private struct Entry: Comparable {
        let eta: Int
        let id: String

        static func < (left: Entry, right: Entry) -> Bool { left.eta < right.eta }
    }

    private struct State {
        var heap = Heap<Entry>()
        var isClosed = false
    }

    /// How much longer a look at more than the limit is paused after than it took.
    private static let restFactor = 4
    private static let shortestRest = Duration.milliseconds(20)

    private let source: RedisMessageSource
    private let decoder: any MessageEncoder
    private let limit: Int
    private let presence: WorkerPresence
    private let state = Mutex(State())

    init(
        source: RedisMessageSource,
        decoder: any MessageEncoder,
        limit: Int,
        presence: WorkerPresence
    ) {
        self.source = source
        self.decoder = decoder
        self.limit = limit
        self.presence = presence
    }

    func next(limit: Int) async throws -> [Delivery] {
        while !Task.isCancelled, !state.withLock(\.isClosed) {
            let due = try await due(limit: limit)
            if !due.isEmpty { return due }
            let start = ContinuousClock.now
            _ = try await giveBackTheLast()
            let messages = try await source.take(limit: RedisMessageSource.maximumCount)
            let deliverable = hold(messages)
            if !deliverable.isEmpty { return source.deliveries(deliverable) }
            if try await giveBackTheLast() {
                let rest = max(Self.shortestRest, (ContinuousClock.now - start) * Self.restFactor)
                await sleep(until: min(ContinuousClock.now + rest, nextDue ?? .now + rest))
            } else if messages.isEmpty {
                await source.watcher.wait(until: nextDue)
            } else {
                source.watcher.noteActivity()
            }
        }
        return []
    }

    /// Keeps what has to wait. Returns what hasn't, among it what can't be read: the worker sees to that.
    private func hold(_ messages: [RedisMessageSource.Message]) -> [RedisMessageSource.Message] {
        let now = SystemClock.milliseconds()
        var deliverable: [RedisMessageSource.Message] = []
        var entries: [Entry] = []
        for message in messages {
            let eta = try? decoder.decode(message.bytes).eta()
            if let eta, eta > now {
                entries.append(Entry(eta: eta, id: message.id))
            } else {
                deliverable.append(message)
            }
        }
        if !entries.isEmpty {
            source.hold(entries.lazy.map(\.id))
            state.withLock { $0.heap.insert(contentsOf: entries) }
        }
        return deliverable
    }

    /// The messages whose time has come.
    private func due(limit: Int) async throws -> [Delivery] {
        let now = SystemClock.milliseconds()
        let entries = state.withLock { state in
            var entries: [Entry] = []
            while entries.count < min(limit, RedisMessageSource.maximumCount),
                let first = state.heap.min, first.eta <= now
            {
                entries.append(state.heap.removeMin())
            }
            return entries
        }
        if entries.isEmpty { return [] }
        do {
            let messages = try await source.load(entries.map(\.id))
            let deliveries = source.deliveries(messages)
            source.stopHolding(entries.lazy.map(\.id))
            return deliveries
        } catch {
            state.withLock { $0.heap.insert(contentsOf: entries) }
            throw error
        }
    }

    /// Gives back what is held beyond the limit. Returns whether there was anything.
    private func giveBackTheLast() async throws -> Bool {
        let excess = state.withLock { state in
            var excess: [Entry] = []
            while state.heap.count > limit { excess.append(state.heap.removeMax()) }
            return excess
        }
        if excess.isEmpty { return false }
        do {
            try await source.giveBack(excess.map(\.id))
        } catch {
            state.withLock { $0.heap.insert(contentsOf: excess) }
            throw error
        }
        source.stopHolding(excess.lazy.map(\.id))
        return true
    }

    /// When the first of those that are held is due. The wall clock can be set, so it is never far.
    private var nextDue: ContinuousClock.Instant? {
        guard let eta = state.withLock({ $0.heap.min?.eta }) else { return nil }
        return .now + .milliseconds(min(max(0, eta - SystemClock.milliseconds()), 60_000))
    }

    private func sleep(until deadline: ContinuousClock.Instant) async {
        try? await Task.sleep(until: deadline, clock: .continuous)
    }

    func close() async {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        source.close()
        await presence.leave(source)
    }

    func finish(by deadline: ContinuousClock.Instant) {
        presence.finish(by: deadline)
    }
}
