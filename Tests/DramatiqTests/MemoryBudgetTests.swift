import Synchronization
import TestSupport
import Testing

@testable import Dramatiq

/// How much of what a worker holds it decodes.
@Suite(.timeLimit(.minutes(10))) struct MemoryBudgetTests {
    private struct Failure: Error {}

    /// Reads JSON, and says that a message has as many bytes as its option `weight` says. Before it is read it seems to be
    /// twice as large. With the option `broken` it can't be read.
    private struct WeighingEncoder: MessageEncoder {
        func encode(_ message: Message) throws -> [UInt8] { try JSONMessageEncoder().encode(message) }

        func decode(_ bytes: [UInt8]) throws -> Message {
            let message = try JSONMessageEncoder().decode(bytes)
            if message.options["broken"] != nil { throw DecodeError(.corrupt, "It is broken", offset: 0) }
            return message
        }

        func maxDecodedSize(of bytes: [UInt8]) -> Int { 2 * weight(bytes) }

        func decode(_ bytes: [UInt8], decodedSize: inout Int) throws -> Message {
            decodedSize = weight(bytes)
            return try decode(bytes)
        }

        private func weight(_ bytes: [UInt8]) -> Int {
            let message = try? JSONMessageEncoder().decode(bytes)
            return message?.options["weight"]?.intValue ?? bytes.count / 2
        }
    }

    /// A transport whose consumers wait for its answers.
    private struct PatientTransport: TransportWrapper {
        let base: any Transport
        let traits = TransportTraits(maxBatch: 10, knowsRedelivery: true)

        func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? { nil }
    }

    private let memory = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()
    private let gate = Gate()
    private let started = Recorder<Int>()
    private let ended = Recorder<Int>()

    /// A broker with an actor that waits at the gate, and one that doesn't.
    private func broker(isImmediate: Bool = true) async throws -> Broker {
        let broker = Broker(
            transport: isImmediate ? memory : PatientTransport(base: memory), encoder: WeighingEncoder(),
            logger: log.logger)
        let (gate, started, ended) = (gate, started, ended)
        try await broker.declare(
            TaskActor("waits") { (number: Int) in
                started.add(number)
                try await gate.wait()
                ended.add(number)
            },
            TaskActor("passes") { (number: Int) in _ = ended.add(number) },
            TaskActor("fails", options: [.maxRetries(0)]) { (_: Int) in throw Failure() },
            TaskActor("failsOnce", options: [.minBackoff(.milliseconds(1))]) { (number: Int) in
                guard ended.values.contains(number) else {
                    ended.add(number)
                    throw Failure()
                }
            })
        return broker
    }

    private func message(_ number: Int, weight: Int?, _ actor: String = "waits", _ options: MessageOptions = [:])
        -> Message
    {
        var message = Message(
            queueName: "default", actorName: actor, args: [.integer(number)], options: options)
        if let weight { message.options["weight"] = .integer(weight) }
        return message
    }

    /// Three of them are in the budget, with twelve times their bytes each.
    private static let weight = 250_000
    private static let budget = 10_000_000

    @Test(arguments: [true, false])
    func largeMessagesTakeTurnsAndSmallOnesPass(isImmediate: Bool) async throws {
        let broker = try await broker(isImmediate: isImmediate)
        try await broker.enqueue((0..<8).map { message($0, weight: Self.weight) })
        try await broker.enqueue((100..<130).map { message($0, weight: nil, "passes") })
        let worker = Worker(broker, concurrency: 8, prefetch: 100, memoryBudget: Self.budget)
        try await withWorker(worker) {
            try await eventually { ended.count == 30 && started.count == 3 }
            try await giveItAChance()
            #expect(started.count == 3)
            #expect(Set(ended.values) == Set(100..<130))
            gate.open()
            try await memory.join(timeout: .patience)
            #expect(Set(ended.values) == Set(0..<8).union(100..<130))
            try await eventually { worker.memory.used == 0 && worker.unread.isEmpty }
        }
        #expect(log.complaints.isEmpty)
    }

    /// The one that is too large for the budget waits until there is little else, and the others wait behind it.
    @Test func oneAlwaysPasses() async throws {
        let broker = try await broker()
        let worker = Worker(broker, concurrency: 8, memoryBudget: 1)
        try await broker.enqueue((0..<5).map { message($0, weight: 1 << 40) })
        try await withWorker(worker) {
            try await eventually { started.count == 1 }
            try await giveItAChance()
            #expect(started.count == 1)
            gate.open()
            try await memory.join(timeout: .patience)
        }
        #expect(ended.count == 5)
    }

    /// A message that takes long doesn't keep the largest one from passing.
    @Test func theLargestPassesBesideOthers() async throws {
        let broker = try await broker()
        let worker = Worker(broker, concurrency: 8, memoryBudget: Self.budget)
        try await broker.enqueue(message(1, weight: Self.budget / 4 / 12 - 100))
        try await withWorker(worker) {
            try await eventually { started.count == 1 }
            try await broker.enqueue(message(2, weight: 100 * Self.budget, "passes"))
            try await eventually { ended.values == [2] }
            gate.open()
            try await memory.join(timeout: .patience)
        }
    }

    /// However a message ends, what it had is given back.
    @Test(
        arguments: [
            ("passes", [:]), ("fails", [:]), ("failsOnce", [:]), ("passes", ["broken": true]), ("unknown", [:]),
            ("passes", ["max_age": 1]), ("passes", ["eta": 1]), ("passes", ["eta": "soon"]),
            ("passes", ["on_success": "unknown"]),
        ] as [(String, MessageOptions)], [true, false])
    func itIsGivenBack(_ end: (actor: String, options: MessageOptions), isImmediate: Bool) async throws {
        let broker = try await broker(isImmediate: isImmediate)
        let worker = Worker(broker, concurrency: 2, memoryBudget: Self.budget)
        try await withWorker(worker) {
            for number in 0..<12 {
                var message = message(number, weight: Self.weight, end.actor, end.options)
                message.messageTimestamp = MessageTimestamp(milliseconds: 0)
                try await broker.enqueue(message)
            }
            try await memory.join(timeout: .patience)
            try await eventually { worker.memory.used == 0 && worker.unread.isEmpty }
        }
    }

    @Test(arguments: [true, false])
    func aShutdownReturnsWhatWasNotRead(isImmediate: Bool) async throws {
        let broker = try await broker(isImmediate: isImmediate)
        let count = 12
        try await broker.enqueue((0..<count).map { message($0, weight: Self.weight) })
        let worker = Worker(broker, concurrency: 4, prefetch: 100, memoryBudget: Self.budget)
        try await withWorker(worker) { try await eventually { started.count == 3 } }
        let status = memory.status(queue: "default")
        #expect((status.waiting, status.inFlight) == (count, 0))
        #expect(worker.memory.used == 0)
        gate.open()
        try await withWorker(Worker(broker)) { try await memory.join(timeout: .patience) }
        #expect(Set(ended.values) == Set(0..<count))
    }

    /// One waits in front for room, and goes back when it was read.
    @Test(arguments: [true, false])
    func aPausedQueueGetsBackWhatWasNotRead(isImmediate: Bool) async throws {
        let broker = try await broker(isImmediate: isImmediate)
        let count = 12
        try await broker.enqueue((0..<count).map { message($0, weight: Self.weight) })
        let worker = Worker(broker, concurrency: 4, prefetch: 100, memoryBudget: Self.budget)
        try await withWorker(worker) {
            try await eventually { started.count == 3 }
            try await broker.pause(queue: "default")
            try await eventually { memory.status(queue: "default").waiting >= count - 4 }
            gate.open()
            try await eventually { memory.status(queue: "default").inFlight == 0 }
            #expect(started.count == 3)
            try await eventually { worker.memory.used == 0 && worker.unread.isEmpty }
            try await broker.resume(queue: "default")
            try await memory.join(timeout: .patience)
        }
        #expect(ended.count == count && Set(ended.values) == Set(0..<count))
    }

    /// What is cut off in the middle gives back what it had, too.
    @Test func aTimeLimitGivesItBack() async throws {
        let broker = try await broker()
        let worker = Worker(broker, concurrency: 2, memoryBudget: Self.budget)
        try await withWorker(worker) {
            try await broker.enqueue(
                (0..<6).map { message($0, weight: Self.weight, "waits", ["time_limit": 1, "max_retries": 0]) })
            try await memory.join(timeout: .patience)
            #expect(started.count == 6)
            try await eventually { worker.memory.used == 0 }
        }
    }

    /// What waits for its time is not decoded, so it takes nothing from those that don't.
    @Test func delayedMessagesWaitUnread() async throws {
        let broker = try await broker()
        let worker = Worker(broker, concurrency: 2, memoryBudget: Self.budget)
        let now = SystemClock.milliseconds()
        func delayed(_ number: Int, _ eta: Int) -> Message {
            var message = message(number, weight: Self.weight, "passes", ["eta": .integer(eta)])
            message.queueName = "default.DQ"
            return message
        }
        try await broker.enqueue((0..<10).map { delayed($0, now + 3_600_000) })
        try await withWorker(worker) {
            try await eventually { memory.status(queue: "default").delayed == 10 }
            try await broker.enqueue((10..<20).map { delayed($0, now + 300) })
            try await broker.enqueue((20..<30).map { message($0, weight: Self.weight, "passes") })
            try await eventually { ended.count == 20 }
            try await eventually { worker.memory.used == 0 && worker.unread.isEmpty }
        }
        #expect(Set(ended.values) == Set(10..<30))
        #expect(memory.unfinishedCount(queues: ["default"]) == 10)
    }

    /// Everything is counted in one place: whoever waits is told, and a share that grows keeps what it has.
    @Test func sharesWaitForEachOther() async throws {
        let budget = MemoryBudget(limit: 1000)
        var first = budget.shareNow(200)
        var second = budget.shareNow(750)
        #expect(first != nil && second != nil && budget.used == 950)
        #expect(budget.shareNow(100) == nil)
        #expect(first?.resize(to: 300) == false)
        #expect(budget.used == 950)
        let waiting = Task { await budget.share(400) != nil }
        let cancelled = Task { await budget.share(400) != nil }
        cancelled.cancel()
        #expect(await cancelled.value == false)
        #expect(second?.resize(to: 700) == true)
        #expect(first?.resize(to: 300) == true)
        second = nil
        #expect(await waiting.value)
        first = nil
        #expect(budget.used == 0)
        // However large, it counts three quarters.
        first = budget.shareNow(.max)
        #expect(budget.used == 750)
        _ = (first, second)
    }
}
