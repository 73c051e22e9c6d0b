import Dramatiq

extension TransportPromises {
    /// Looking after queues.
    static let operations: [Promise<any TransportSubject>] = [
        Promise("a queue's status says what is in it", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            try await expectStatus(operations, check.queue, (0, 0, 0, 0))
            try await check.send("a", "b", "c", "d", "e")
            let consumer = try await check.consumer(prefetch: 3)
            let deliveries = try await check.expectNext(["a", "b", "c"], from: consumer)
            try await check.end(.reject(reason: "no"), deliveries[0])
            try await check.acknowledge(deliveries[1])
            let message = check.message("delayed")
            let broker = Broker(transport: check.transport)
            try await broker.enqueue(message, delay: .seconds(3600))
            try await expectStatus(operations, check.queue, (2, 1, 1, 1))
            let next = try unwrap(try await operations.status(queue: check.queue).next, "the message that is next")
            try expectEqual(
                try next.message(decoder: JSONMessageEncoder()).args.elements.first, "d", "the message that is next")
            try expect(
                try await operations.queueNames().contains(check.queue), "the queue's name among all of them")
            try expectEqual(
                try await operations.unfinishedCount(queue: check.queue), 4, "the number of unfinished messages")
            await consumer.close()
        },
        Promise("a sample only reads", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b", "c")
            let operations = try check.operations()
            let sample = try await operations.sample(queue: check.queue, limit: 10)
            try expectEqual(
                try sample.map {
                    try $0.payload.message(decoder: JSONMessageEncoder()).args.elements.first?.stringValue ?? "?"
                }
                .sorted(), ["a", "b", "c"], "the sample, sorted")
            try expectEqual(
                try await operations.sample(queue: check.queue, limit: 2).count, 2, "the size of a smaller sample")
            try await check.expectQueue(["a", "b", "c"])
        },
        Promise("waiting for a queue ends when its messages are finished, and no earlier", needs: [.operations]) {
            subject in
            let check = try await TransportCheck(subject)
            let (operations, patience) = (try check.operations(), subject.patience)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            try await expectError(BrokerError.self, "a message is in flight") {
                try await operations.join(queue: check.queue, timeout: .milliseconds(30))
            }
            let join = Task { try await operations.join(queue: check.queue, timeout: patience) }
            await Task.yield()
            try await check.acknowledge(delivery)
            try await join.value
            await consumer.close()
        },
        Promise("a queue that is flushed keeps what is in flight and its dead letters", needs: [.operations]) {
            subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            try await check.send("a", "b", "c", "d")
            let consumer = try await check.consumer(prefetch: 2)
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.end(.reject(reason: "no"), deliveries[0])
            try expectEqual(try await operations.flush(queue: check.queue), 2, "the number of messages removed")
            try await expectStatus(operations, check.queue, (0, 1, 0, 1))
            try await check.acknowledge(deliveries[1])
            await consumer.close()
            try await check.expectQueue([])
        },
        Promise("dead letters are listed in pages, oldest first, and removed for good", needs: [.operations]) {
            subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let names = (0..<7).map { "\($0)" }
            try await check.send(names)
            let consumer = try await check.consumer()
            for (number, delivery) in try await check.expectNext(names, from: consumer).enumerated() {
                try await check.end(.reject(reason: "\(number)"), delivery)
                // Each a moment later than the one before.
                try await Task.sleep(for: .milliseconds(2))
            }
            await consumer.close()
            var pages: [String] = []
            for offset in stride(from: 0, through: 9, by: 3) {
                pages += try await operations.deadLetters(queue: check.queue, offset: offset, limit: 3).map(\.reason)
            }
            try expectEqual(pages, names, "the pages together")
            let letters = try await check.deadLetters()
            try await operations.removeDeadLetter(letters[2].id, queue: check.queue)
            try await expectError(BrokerError.self, "it was removed") {
                try await operations.removeDeadLetter(letters[2].id, queue: check.queue)
            }
            try await expectError(BrokerError.self, "it was removed") {
                try await operations.deadLetter(letters[2].id, queue: check.queue)
            }
            let requeued = try await operations.requeueDeadLetters(queue: check.queue, encoder: JSONMessageEncoder()) {
                Int($0.reason)?.isMultiple(of: 2) ?? false
            }
            try expectEqual(requeued, 3, "the number of dead letters requeued")
            try expectEqual(
                try await operations.removeDeadLetters(queue: check.queue, where: nil), 3, "the number removed")
            try await check.expectQueue(["0", "4", "6"])
        },
    ]

    private static func expectStatus(
        _ operations: any QueueOperations,
        _ queue: String,
        _ expected: (waiting: Int, inFlight: Int, delayed: Int, deadLetters: Int),
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let status = try await operations.status(queue: queue)
        try expectEqual(
            [status.waiting, status.inFlight, status.delayed, status.deadLetters],
            [expected.waiting, expected.inFlight, expected.delayed, expected.deadLetters],
            "messages waiting, in flight and delayed, and dead letters", file: file, line: line)
    }
}
