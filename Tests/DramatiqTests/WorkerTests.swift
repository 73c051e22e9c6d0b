import Dramatiq
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct WorkerTests {
    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()

    @Test func messagesAreProcessedAndAcknowledged() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let seen = Recorder<Int>()
        let add = TaskActor("add") { (left: Int, right: Int) in _ = seen.add(left + right) }
        try await broker.declare(add)
        try await withWorker(Worker(broker)) {
            for number in 0..<100 { try await add.send(number, 1, to: broker) }
            try await transport.join()
        }
        #expect(seen.values.sorted() == Array(1...100))
        #expect(transport.deadLetters().isEmpty)
    }

    @Test func keywordArgumentsArriveByParameterName() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let seen = Recorder<String>()
        let resize = TaskActor("resize", parameters: ["path", "width", "mode"]) {
            (path: String, width: Int, mode: String?) in
            _ = seen.add("\(path) \(width) \(mode ?? "-")")
        }
        try await broker.declare(resize)
        try await withWorker(Worker(broker, concurrency: 1)) {
            for (args, kwargs) in [
                (["a", 1], [:]), (["b"], ["width": 2, "mode": "fit"]), ([], ["mode": nil, "width": 3, "path": "c"]),
            ] as [(JSONArray, JSONObject)] {
                try await broker.enqueue(
                    Message(queueName: "default", actorName: "resize", args: args, kwargs: kwargs))
                // One by one: what a worker takes at the same time, it may begin in another order.
                try await transport.join()
            }
        }
        #expect(seen.values == ["a 1 -", "b 2 fit", "c 3 -"])
    }

    @Test(
        arguments: [
            ([], [:], "argument 'count' is missing"),
            (["x"], [:], "argument 'count' is not a valid Int"),
            ([1, 2], [:], "it takes 1 arguments, and there are 2"),
            ([1], ["size": 2], "it takes no keyword argument 'size'"),
            ([1], ["count": 2], "it takes no keyword argument 'count'"),
        ] as [(JSONArray, JSONObject, String)])
    func argumentsThatDoNotFitAreDeadLetteredAtOnce(args: JSONArray, kwargs: JSONObject, reason: String) async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let runs = Recorder<Int>()
        let actor = TaskActor("count", parameters: ["count"]) { (count: Int) in _ = runs.add(count) }
        try await broker.declare(actor)
        let message = Message(queueName: "default", actorName: "count", args: args, kwargs: kwargs)
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(message)
            try await transport.join()
        }
        let letter = try #require(transport.deadLetters().first)
        #expect(transport.deadLetters().count == 1)
        #expect(letter.reason.hasPrefix(reason))
        #expect(try letter.message() == message)
        #expect(runs.values.isEmpty)
    }

    @Test func bytesThatAreNoMessageAreDeadLetteredIntact() async throws {
        let broker = Broker(transport: transport, encoder: Damaging(), logger: log.logger)
        try await broker.declare(TaskActor("a") {})
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(Message(queueName: "default", actorName: "a"))
            try await transport.join()
        }
        let letter = try #require(transport.deadLetters().first)
        guard case .bytes(let bytes) = letter.payload else {
            Issue.record("not bytes")
            return
        }
        #expect(bytes == Damaging.bytes)
        #expect(letter.reason.contains("at byte 2"))
    }

    private struct Damaging: MessageEncoder {
        static let bytes = Array("{\"\u{1}".utf8)
        func encode(_ message: Message) throws -> [UInt8] { Self.bytes }
        func decode(_ bytes: [UInt8]) throws -> Message { try JSONMessageEncoder().decode(bytes) }
    }

    @Test func aMessageForAnUnknownActorIsDeadLetteredAndCanBeRequeued() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let runs = Recorder<Int>()
        try await broker.declare(queue: "default")
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(Message(queueName: "default", actorName: "late", args: [7]))
            try await transport.join()
            let letter = try #require(transport.deadLetters().first)
            #expect(letter.reason == "No actor named 'late' is declared on this worker")
            try await broker.declare(TaskActor("late") { (number: Int) in _ = runs.add(number) })
            try transport.requeueDeadLetter(letter.id)
            try await transport.join()
        }
        #expect(runs.values == [7])
        #expect(transport.deadLetters().isEmpty)
        #expect(throws: BrokerError.deadLetterNotFound(queue: "default", id: "99")) {
            try transport.requeueDeadLetter("99")
        }
    }

    @Test func aRequeuedDeadLetterKeepsItsPriority() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        try await broker.declare(queue: "default")
        try await withWorker(Worker(broker)) {
            for priority in [1, 5, 3] {
                try await broker.enqueue(
                    Message(
                        queueName: "default", actorName: "late", args: [.integer(priority)],
                        options: ["broker_priority": .integer(priority)]))
            }
            try await transport.join()
        }
        for letter in transport.deadLetters() { try transport.requeueDeadLetter(letter.id) }
        let consumer = try await transport.consumer(of: "default", prefetch: 3)
        let order = try await consumer.next(limit: 3).map { try $0.message(decoder: broker.encoder).args }
        #expect(order == [[5], [3], [1]])
    }

    @Test func actorsOfLowerPriorityNumberRunFirst() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let order = Recorder<String>()
        let gate = Gate()
        let block = TaskActor("block", priority: -1) { try await gate.wait() }
        let low = TaskActor("low", priority: 10) { _ = order.add("low") }
        let high = TaskActor("high", priority: 1) { _ = order.add("high") }
        try await broker.declare(block, low, high)
        try await withWorker(Worker(broker, concurrency: 1, prefetch: 100)) {
            try await block.send(to: broker)
            for _ in 0..<5 { try await low.send(to: broker) }
            for _ in 0..<5 { try await high.send(to: broker) }
            // Nobody takes messages for actors that there are not. When the second one is put aside, which the worker
            // took after it had the first one, it has all that came before.
            for count in 1...2 {
                try await broker.enqueue(Message(queueName: "default", actorName: "nobody"))
                try await eventually { transport.deadLetters().count == count }
            }
            gate.open()
            try await transport.join()
        }
        #expect(order.values == Array(repeating: "high", count: 5) + Array(repeating: "low", count: 5))
    }

    @Test func messagesOfHigherBrokerPriorityAreTakenFirst() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let order = Recorder<Int>()
        let actor = TaskActor("a") { (number: Int) in _ = order.add(number) }
        try await broker.declare(actor)
        for number in [1, 9, 5, 9] {
            try await broker.enqueue(
                actor.messageWithOptions(number, options: ["broker_priority": .integer(number)]))
        }
        try await withWorker(Worker(broker, concurrency: 1)) { try await transport.join() }
        #expect(order.values == [9, 9, 5, 1])
    }

    @Test func aWorkerKeepsToItsQueuesAndFindsLaterOnes() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let seen = Recorder<String>()
        func record(_ queue: String) -> TaskActor<Void> {
            TaskActor("in_\(queue)", queue: queue) { _ = seen.add(queue) }
        }
        let one = record("one")
        let two = record("two")
        try await broker.declare(one, two)
        try await withWorker(Worker(broker, queues: ["one", "three"])) {
            try await two.send(to: broker)
            try await one.send(to: broker)
            let three = record("three")
            try await broker.declare(three)
            try await three.send(to: broker)
            try await transport.join(queue: "one")
            try await transport.join(queue: "three")
        }
        #expect(seen.values.sorted() == ["one", "three"])
        #expect(transport.unfinishedCount(queues: ["two"]) == 1)
        let everything = Worker(broker)
        try await withWorker(everything) {
            let four = record("four")
            try await broker.declare(four)
            try await four.send(to: broker)
            try await transport.joinAll()
        }
        #expect(seen.values.sorted() == ["four", "one", "three", "two"])
    }

    @Test func aWorkerHoldsNoMoreThanItsPrefetch() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        let block = TaskActor("block") { (_: Int) in try await Gate().wait() }
        try await broker.declare(block)
        for number in 0..<10 { try await block.send(number, to: broker) }
        let other = try await transport.consumer(of: "default", prefetch: 10)
        // What the worker doesn't hold is free for another.
        func lookAtTheRest() async throws -> [JSONArray] {
            let deliveries = try await other.next(limit: 10)
            for delivery in deliveries.reversed() {
                try await transport.end(delivery, .requeue)
            }
            return try deliveries.map { try $0.message(decoder: broker.encoder).args }
        }
        try await withWorker(Worker(broker, concurrency: 1, prefetch: 3)) {
            // Not before it has what it holds: what is returned meanwhile would be taken in another order.
            try await eventually { transport.status().waiting == 7 }
            try await giveItAChance()
            #expect(try await lookAtTheRest().count == 7)
        }
        // What it held went back.
        #expect(try await lookAtTheRest().map { $0.elements } == (0..<10).map { [.integer($0)] })
    }

    @Test func closingAConsumerReturnsWhatItHasToItsPlace() async throws {
        try await transport.declare(queue: "q")
        let encoder = JSONMessageEncoder()
        for number in 0..<5 {
            let message = Message(queueName: "q", actorName: "a", args: [.integer(number)])
            try await transport.commit(Commit(sends: [Envelope(message, encoder: encoder)]))
        }
        let first = try await transport.consumer(of: "q", prefetch: 3)
        let taken = try await first.next(limit: 3)
        #expect(try await transport.end(taken[1]) == .committed)
        await first.close()
        let messageID = try taken[0].message(decoder: encoder).messageID
        let error = BrokerError.deliveryNotHeld(queue: "q", messageID: messageID)
        await #expect(throws: error) { try await transport.end(taken[0]) }
        let second = try await transport.consumer(of: "q", prefetch: 9)
        let rest = try await second.next(limit: 9)
        #expect(try rest.map { try $0.message(decoder: encoder).args } == [[0], [2], [3], [4]])
        #expect(rest.map(\.isRedelivered) == [true, true, false, false])
        #expect(try await first.next(limit: 1).isEmpty)
    }

    @Test func delayedMessagesRunWhenTheyAreDueInTheirOrder() async throws {
        /// Notes when a worker puts a message aside.
        struct Witness: BeforeDelayMessage {
            let times: Recorder<Int>
            func beforeDelayMessage(_ message: Message, broker: Broker) async throws {
                times.add(SystemClock.milliseconds())
            }
        }
        let putAside = Recorder<Int>()
        let broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [CurrentMessage(), Witness(times: putAside)], logger: log.logger)
        let order = Recorder<(name: String, at: Int, eta: JSONValue?)>()
        let actor = TaskActor("a") { (name: String) in
            _ = order.add((name, SystemClock.milliseconds(), CurrentMessage.message?.options["eta"]))
        }
        try await broker.declare(actor)
        let start = SystemClock.milliseconds()
        func send(_ name: String, at due: Int) async throws {
            let message = Message(
                queueName: "default.DQ", actorName: "a", args: [.string(name)], options: ["eta": .integer(due)])
            try await transport.commit(Commit(sends: [Envelope(message, encoder: broker.encoder)]))
        }
        try await send("late", at: start + 300)
        // Many that are due much later must not block those behind them.
        for _ in 0..<2000 { try await send("x", at: start + 3_600_000) }
        try await send("soon", at: start + 200)
        try await actor.send("now", to: broker)
        try await withWorker(Worker(broker, concurrency: 1)) { try await eventually { order.count == 3 } }
        let runs = Dictionary(uniqueKeysWithValues: order.values.map { ($0.name, $0.at) })
        #expect(Set(runs.keys) == ["now", "soon", "late"])
        #expect(try #require(runs["soon"]) >= start + 200)
        #expect(try #require(runs["late"]) >= start + 300)
        // Those that are due already when the worker gets them come as it gets them.
        if putAside.values.allSatisfy({ $0 < start + 200 }) {
            #expect(order.values.map(\.name) == ["now", "soon", "late"])
        }
        #expect(order.values.allSatisfy { $0.eta == nil })
        #expect(transport.unfinishedCount(queues: ["default"]) == 2000)
    }
}
