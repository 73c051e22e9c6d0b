import Dramatiq

/// Carries messages within this process, by an actor: about the least that a transport has to do.
///
/// It says nothing of barriers, so the core has them kept elsewhere, and knows neither priorities nor what was delivered
/// before.
actor QueueTransport: Transport {
    private struct Held {
        let queue: String
        let consumer: Int
        let bytes: [UInt8]
    }

    private var ready: [String: [[UInt8]]] = [:]
    private var held: [UInt64: Held] = [:]
    private var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    private var closed: Set<Int> = []
    private var lastTag: UInt64 = 0
    private var lastConsumer = 0
    /// What was done lately: a commit whose answer got lost comes again.
    private var done: [CommitID] = []
    /// Why messages were put aside, with their bytes.
    private(set) var rejected: [(bytes: [UInt8], reason: String)] = []

    nonisolated let traits = TransportTraits()

    func declare(queue name: String) async throws {}

    func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
        lastConsumer += 1
        return QueueConsumer(transport: self, queue: queue, id: lastConsumer)
    }

    // MARK: Committing

    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        commits.map { commit in Result { try execute(commit) } }
    }

    private func execute(_ commit: Commit) throws -> CommitResult {
        if commit.isRepeated, done.contains(commit.id) { return CommitResult(.committed) }
        // Everything that can fail comes first, so that a commit holds as a whole or not at all.
        let messages = try (Array(commit.sends) + Array(commit.successors)).map { ($0.queueName, try $0.encoded()) }
        if let end = commit.end {
            guard let message = held.removeValue(forKey: end.delivery.tag) else {
                throw BrokerError.deliveryNotHeld(queue: end.delivery.queueName, messageID: nil)
            }
            switch end.outcome {
            case .acknowledge: break
            case .requeue: ready[message.queue, default: []].insert(message.bytes, at: 0)
            case .reject(let reason): rejected.append((message.bytes, reason))
            }
        }
        for (queue, bytes) in messages { ready[queue, default: []].append(bytes) }
        done = done.suffix(1000) + [commit.id]
        for consumer in waiting.keys { wake(consumer) }
        return CommitResult(.committed)
    }

    // MARK: Taking

    fileprivate func take(_ queue: String, limit: Int, consumer: Int) async -> [Delivery] {
        while !Task.isCancelled, !closed.contains(consumer) {
            let taken = (ready[queue] ?? []).prefix(max(1, limit))
            if taken.isEmpty {
                await wait(consumer)
                continue
            }
            ready[queue]?.removeFirst(taken.count)
            return taken.map { bytes in
                lastTag += 1
                held[lastTag] = Held(queue: queue, consumer: consumer, bytes: bytes)
                return Delivery(queueName: queue, tag: lastTag, payload: .bytes(bytes), isRedelivered: false)
            }
        }
        return []
    }

    private func wait(_ consumer: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiting[consumer] = $0 }
        } onCancel: {
            Task { await self.wake(consumer) }
        }
    }

    private func wake(_ consumer: Int) {
        waiting.removeValue(forKey: consumer)?.resume()
    }

    fileprivate func close(_ consumer: Int) {
        closed.insert(consumer)
        // Each goes to the front, so the last one taken goes first.
        for (tag, message) in held.sorted(by: { $0.key > $1.key }) where message.consumer == consumer {
            held[tag] = nil
            ready[message.queue, default: []].insert(message.bytes, at: 0)
        }
        for consumer in waiting.keys { wake(consumer) }
    }
}

private final class QueueConsumer: TransportConsumer {
    private let transport: QueueTransport
    private let queue: String
    private let id: Int

    init(transport: QueueTransport, queue: String, id: Int) {
        self.transport = transport
        self.queue = queue
        self.id = id
    }

    func next(limit: Int) async throws -> [Delivery] { await transport.take(queue, limit: limit, consumer: id) }
    func close() async { await transport.close(id) }
}
