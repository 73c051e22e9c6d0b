import Dramatiq
import Synchronization
import TestSupport
import Testing

/// The way of delayed messages that become due.
@Suite(.timeLimit(.minutes(10))) struct DelayedMessageTests {
    let log = RecordingLog()

    /// A broker whose actor notes the order in which it gets its messages, and a middleware that in which they are moved.
    private struct Setting {
        let broker: Broker
        let encoder = CountingEncoder()
        let order = Recorder<Int>()
        let moves = Recorder<JSONArray>()
        let task: TaskActor<Int, Void>

        init(_ transport: any Transport, _ log: RecordingLog) async throws {
            broker = Broker(
                transport: transport, encoder: encoder,
                middleware: Broker.defaultMiddleware + [MoveObserver(moves: moves)], logger: log.logger)
            let order = order
            task = TaskActor("task") { number in _ = order.add(number) }
            try await broker.declare(task)
        }

        /// A message that is due at a time in milliseconds since 1970, as it lies in the delay queue.
        func delayed(_ number: Int, eta: Int) -> Envelope {
            Envelope(
                Message(
                    queueName: "default.DQ", actorName: "task", args: [.integer(number)],
                    options: ["eta": .integer(eta)]), encoder: encoder)
        }

        var worker: Worker {
            Worker(
                broker, concurrency: 1,
                transitionRetries: TransitionRetryPolicy(
                    attempts: 3, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(5)))
        }
    }

    @Test(arguments: [(InMemoryTransport.Fidelity.values, 0), (.bytes, 2)])
    func theyAreMovedInTheirOrderAndReadOnceInEachQueue(fidelity: InMemoryTransport.Fidelity, reads: Int) async throws {
        let transport = InMemoryTransport(fidelity: fidelity)
        let setting = try await Setting(transport, log)
        // Those due at the same time in the order in which they came, and before those that are due later.
        let count = 3000
        let envelopes = (0..<count).map { setting.delayed($0, eta: 1_000 + ($0 % 2)) }
        try await transport.commit(Commit(sends: Envelopes(envelopes)))
        try await withWorker(setting.worker) { try await transport.join(timeout: .patience) }
        let inOrder = (0..<count).filter { $0 % 2 == 0 } + (0..<count).filter { $0 % 2 == 1 }
        #expect(setting.moves.values == inOrder.map { [.integer($0)] })
        #expect(setting.order.count == count)
        #expect(setting.encoder.decodedCount == reads * count)
    }

    /// Messages that are due much later, and lie in the queue itself: as many as a worker may hold, and more.
    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes], [true, false])
    func thoseInTheQueueItselfAreMovedToTheDelayQueue(
        fidelity: InMemoryTransport.Fidelity, isImmediate: Bool
    ) async throws {
        let memory = InMemoryTransport(fidelity: fidelity)
        let setting = try await Setting(isImmediate ? memory : BatchingTransport(base: memory, refused: -1), log)
        let later = SystemClock.milliseconds() + 3_600_000
        let never: [JSONValue] = [.integer(later), .integer(.max), .double(1e300), .double(.infinity)]
        for (number, eta) in zip(0..<40, (0..<10).flatMap { _ in never }) {
            try await setting.broker.enqueue(
                Message(queueName: "default", actorName: "task", args: [.integer(number)], options: ["eta": eta]))
        }
        try await setting.task.send(100, to: setting.broker)
        try await withWorker(setting.worker) {
            try await eventually { setting.order.values == [100] }
            try await eventually { memory.status(queue: "default").delayed == 40 }
        }
        let consumer = try await memory.consumer(of: "default.DQ", ConsumerOptions(prefetch: 100))
        let delayed = try await consumer.next(limit: 100).map { try $0.message(decoder: JSONMessageEncoder()) }
        #expect(delayed.map(\.queueName) == Array(repeating: "default.DQ", count: 40))
        #expect(Set(delayed.map(\.args)) == Set((0..<40).map { [.integer($0)] }))
        #expect(delayed.allSatisfy { $0.options["eta"] == never[$0.args.elements[0].intValue.map { $0 % 4 } ?? 0] })
        #expect(setting.moves.count == 0)
    }

    /// A transport that takes many commits at a time gets many of them, and an outage changes nothing in their order.
    @Test func theyGoInBatchesAlsoAfterAnOutage() async throws {
        let memory = InMemoryTransport()
        let transport = BatchingTransport(base: memory)
        let setting = try await Setting(transport, log)
        let count = 1000
        try await memory.commit(Commit(sends: Envelopes((0..<count).map { setting.delayed($0, eta: 1_000) })))
        try await withWorker(setting.worker) { try await memory.join(timeout: .patience) }
        #expect(setting.order.values == Array(0..<count))
        // 10 batches of 100; the first one fails twice, and those behind it are not tried then.
        #expect(transport.moveBatches == 12)
    }

    /// One that can't be moved is tried again apart from the others and then stays where it is.
    @Test func oneThatCanNotBeMovedKeepsNoOtherWaiting() async throws {
        let memory = InMemoryTransport()
        let transport = BatchingTransport(base: memory, refused: 0)
        let setting = try await Setting(transport, log)
        try await memory.commit(Commit(sends: Envelopes((0..<500).map { setting.delayed($0, eta: 1_000) })))
        try await withWorker(setting.worker) {
            try await eventually { setting.order.count == 499 && !log.complaints.isEmpty }
        }
        #expect(setting.order.values == Array(1..<500))
        #expect(transport.refusals == 3)
        #expect(memory.unfinishedCount(queues: ["default"]) == 1)
    }
}

/// Notes the arguments of delayed messages that were moved to their queues.
private struct MoveObserver: Middleware, CommitObserver {
    let moves: Recorder<JSONArray>

    func didCommit(_ commit: Commit, _ result: CommitResult) {
        guard commit.isMove else { return }
        for envelope in commit.sends { moves.add(envelope.message.args) }
    }
}

extension Commit {
    /// Whether a delayed message goes to its queue.
    fileprivate var isMove: Bool { end?.delivery.queueName == "default.DQ" }
}

/// Takes a hundred commits at a time. The first two batches of delayed messages meet an outage, and one message is
/// refused.
private final class BatchingTransport: TransportWrapper {
    struct Outage: TransientError {}
    struct Refusal: Error {}

    private struct State {
        var batches = 0
        var refusals = 0
    }

    let base: any Transport
    let traits = TransportTraits(maxBatch: 100)
    private let refused: Int?
    private let state = Mutex(State())

    init(base: any Transport, refused: Int? = nil) {
        self.base = base
        self.refused = refused
    }

    var moveBatches: Int { state.withLock(\.batches) }
    var refusals: Int { state.withLock(\.refusals) }

    func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? { nil }

    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        let hasMoves = commits.contains { $0.isMove }
        let number = state.withLock { state in
            if hasMoves { state.batches += 1 }
            return state.batches
        }
        if hasMoves, refused == nil, number <= 2 { return commits.map { _ in .failure(Outage()) } }
        var results: [Result<CommitResult, any Error>] = []
        for commit in commits {
            if let refused, commit.isMove, commit.sends.first?.message.args == [.integer(refused)] {
                state.withLock { $0.refusals += 1 }
                results.append(.failure(Refusal()))
            } else {
                results += await base.commit([commit])
            }
        }
        return results
    }
}
