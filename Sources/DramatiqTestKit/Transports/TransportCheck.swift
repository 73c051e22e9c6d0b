import Dramatiq

/// A transport and a queue of a check's own, with what the check does to them.
struct TransportCheck: Sendable {
    let subject: any TransportSubject
    let transport: any Transport
    let queue: String
    private let encoder = JSONMessageEncoder()

    init(_ subject: any TransportSubject, queue: String = "promise") async throws {
        self.subject = subject
        self.queue = queue
        transport = try await subject.makeTransport()
        try await transport.declare(queue: queue)
    }

    private init(_ subject: any TransportSubject, _ transport: any Transport, queue: String) {
        self.subject = subject
        self.transport = transport
        self.queue = queue
    }

    /// The same queue, reached by another client.
    func another() async throws -> TransportCheck {
        let other = TransportCheck(subject, try await subject.makeTransport(), queue: queue)
        try await other.transport.declare(queue: queue)
        return other
    }

    // MARK: Sending

    func message(_ name: String, options: MessageOptions = [:]) -> Message {
        Message(queueName: queue, actorName: "promised", args: [.string(name)], options: options)
    }

    func envelope(_ message: Message) -> Envelope { Envelope(message, encoder: encoder) }

    func envelopes(_ names: [String]) -> Envelopes { Envelopes(names.map { envelope(message($0)) }) }

    func send(_ names: String...) async throws { try await send(names) }

    func send(_ names: [String]) async throws {
        let result = try await transport.commit(Commit(sends: envelopes(names)))
        try expectEqual(result.status, .committed, "the result of sending")
    }

    // MARK: Taking

    func consumer(prefetch: Int = 100) async throws -> any TransportConsumer {
        try await transport.consumer(of: queue, ConsumerOptions(prefetch: prefetch))
    }

    /// Takes so many messages, within the subject's patience.
    func take(
        _ count: Int = 1,
        from consumer: any TransportConsumer,
        file: String = #fileID,
        line: Int = #line
    ) async throws -> [Delivery] {
        try await within(subject.patience, "\(count) messages in \(queue)", file: file, line: line) {
            var deliveries: [Delivery] = []
            while deliveries.count < count {
                let more = try await consumer.next(limit: count - deliveries.count)
                if more.isEmpty { break }
                deliveries += more
            }
            return deliveries
        }
    }

    func message(of delivery: Delivery) throws -> Message { try delivery.message(decoder: encoder) }

    func name(_ delivery: Delivery) throws -> String {
        try message(of: delivery).args.elements.first?.stringValue ?? "?"
    }

    /// Takes messages and finds out whether they are these, in this order.
    @discardableResult
    func expectNext(
        _ names: [String],
        from consumer: any TransportConsumer,
        file: String = #fileID,
        line: Int = #line
    ) async throws -> [Delivery] {
        let deliveries = try await take(names.count, from: consumer, file: file, line: line)
        try expectEqual(try deliveries.map(name), names, "the next messages", file: file, line: line)
        return deliveries
    }

    /// Finds out whether the queue holds these messages, in this order, and nothing else. Leaves it empty.
    func expectQueue(_ names: [String], file: String = #fileID, line: Int = #line) async throws {
        // Whatever else there is comes before the last one.
        let end = "end of the check"
        try await send(end)
        let consumer = try await consumer()
        var seen: [String] = []
        while true {
            let delivery = try await unwrap(
                take(from: consumer, file: file, line: line).first, "a message", file: file, line: line)
            try await acknowledge(delivery)
            let name = try name(delivery)
            if name == end { break }
            seen.append(name)
        }
        await consumer.close()
        try expectEqual(seen, names, "the messages in the queue", file: file, line: line)
    }

    // MARK: Looking after it

    func operations(file: String = #fileID, line: Int = #line) throws -> any QueueOperations {
        try unwrap(transport.operations, "operations, as is claimed", file: file, line: line)
    }

    func deadLetters() async throws -> [DeadLetter] {
        try await operations().deadLetters(queue: queue, offset: 0, limit: 100)
    }

    // MARK: Ending

    func commit(
        _ outcome: Commit.Outcome,
        _ delivery: Delivery,
        sends: [String] = [],
        successors: [String] = [],
        state: StateCommit? = nil
    ) -> Commit {
        Commit(
            end: Commit.End(delivery, outcome), sends: envelopes(sends), successors: envelopes(successors),
            state: state)
    }

    func end(
        _ outcome: Commit.Outcome,
        _ delivery: Delivery,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let result = try await transport.commit(Commit(outcome, delivery))
        try expectEqual(result.status, .committed, "the result of ending a delivery", file: file, line: line)
    }

    func acknowledge(_ delivery: Delivery, file: String = #fileID, line: Int = #line) async throws {
        try await end(.acknowledge, delivery, file: file, line: line)
    }

    /// Finds out whether a commit is refused because its delivery is not held.
    func expectNotHeld(
        _ commit: Commit,
        _ why: String,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let error = try await expectError(why, file: file, line: line) { try await transport.commit(commit) }
        guard (error as? BrokerError)?.code == .deliveryNotHeld else {
            throw Deviation(
                expected: "BrokerError.deliveryNotHeld, since \(why)", seen: "\(error)", file: file, line: line)
        }
    }

    /// Hands a commit over whose answer is lost, and then again.
    func commitTwice(_ commit: Commit, file: String = #fileID, line: Int = #line) async throws -> CommitResult {
        subject.faults.inject(.loseAnswer)
        try await expectError("the answer is lost", file: file, line: line) { try await transport.commit(commit) }
        subject.faults.clear()
        var commit = commit
        commit.isRepeated = true
        return try await transport.commit(commit)
    }
}
