import Dramatiq

/// What `QueueOperations` promise: how queues do, what is in them, waiting for its end, pausing, and dead letters. They are among
/// ``TransportPromises``.
public enum OperationsPromises {
    public static var all: [Promise<any TransportSubject>] { looking + waiting + flushing + pausing + deadLetters }

    /// How queues do, and what is in them.
    static let looking: [Promise<any TransportSubject>] = [
        Promise("a queue that nobody has used is empty", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            try await check.expectStatus()
            try expect(try await operations.status(queue: check.queue).isEmpty, "an empty queue")
            try expectEqual(try await operations.sample(queue: check.queue, limit: 10).count, 0, "the sampled messages")
            try expectEqual(
                try await operations.deadLetters(queue: check.queue, offset: 0, limit: 10).count, 0, "the dead letters")
            try expectEqual(try await operations.flush(queue: check.queue), 0, "the flushed messages")
            try await operations.join(queue: check.queue, timeout: subject.patience)
        },
        Promise("a status counts what waits, is in flight, delayed and dead", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let consumer = try await check.consumer(prefetch: 2)
            try await check.send("a", "b", "c", "d", "e")
            try await check.sendDelayed("x", "y")
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.expectStatus(waiting: 3, inFlight: 2, delayed: 2)
            try await check.end(.reject(reason: "no"), deliveries[0])
            let other = try await check.another()
            try await other.expectStatus(waiting: 3, inFlight: 1, delayed: 2, deadLetters: 1)
            let status = try await other.operations().status(queue: check.queue)
            let next = try unwrap(status.next, "the message that is next").message(decoder: JSONMessageEncoder())
            try expectEqual(next.args, ["c"], "the message that is next")
            try expect(status.oldestDeadLetter != nil, "the time of the oldest dead letter")
            try expectEqual(status.problems, [], "the problems")
            await consumer.close()
            try await check.expectStatus(waiting: 4, delayed: 2, deadLetters: 1)
        },
        Promise("the names of a queue's other queues stand for it", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            try await check.sendDelayed("x")
            let operations = try check.operations()
            for name in [QueueName.delayed(check.queue), QueueName.deadLetter(check.queue)] {
                let status = try await operations.status(queue: name)
                try expectEqual([status.waiting, status.delayed], [1, 1], "what is in the queue of \(name)")
                try expectEqual(status.name, check.queue, "the queue's name")
                try expectEqual(try await operations.unfinishedCount(queue: name), 2, "the unfinished messages")
            }
        },
        Promise("the queues that hold something are known by their names", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let delayed = try await TransportCheck(subject, queue: "promise.delayed")
            try await check.send("a")
            try await delayed.sendDelayed("x")
            try expectEqual(
                try await check.another().operations().queueNames(), ["promise", "promise.delayed"], "the queues")
        },
        Promise("a sample reads messages and changes nothing", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let consumer = try await check.consumer(prefetch: 1)
            let names = (0..<20).map { "\($0)" }
            try await check.send(names)
            try await check.sendDelayed("x")
            let delivery = try await check.expectNext(["0"], from: consumer)[0]
            let sample = try await operations.sample(queue: check.queue, limit: .max)
            try expectEqual(
                Set(try sample.map { try $0.payload.message(decoder: JSONMessageEncoder()).args.elements.first }),
                Set((names + ["x"]).map { .string($0) }), "the sampled messages")
            try expectEqual(sample.count, 21, "the number of sampled messages")
            for (limit, count) in [(0, 0), (.min, 0), (7, 7)] {
                try expectEqual(
                    try await operations.sample(queue: check.queue, limit: limit).count, count,
                    "a sample of at most \(limit)")
            }
            try await check.expectStatus(waiting: 19, inFlight: 1, delayed: 1)
            try await check.acknowledge(delivery)
            await consumer.close()
        },
        Promise("workers that are known are those that take messages", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            do {
                let workers = try await check.operations().workers()
                try expectEqual(workers.count, 1, "the number of workers")
            } catch is OperationNotSupported {
                // It doesn't know them, and says so.
            }
            try await check.acknowledge(delivery)
            await consumer.close()
        },
    ]

    /// Waiting for the end.
    static let waiting: [Promise<any TransportSubject>] = [
        Promise("joining a queue waits until its last message has ended", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let consumer = try await check.consumer()
            try await check.send("a", "b")
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.acknowledge(deliveries[0])
            let error = try await expectError(BrokerError.self, "a message is in flight") {
                try await operations.join(queue: check.queue, timeout: .milliseconds(20))
            }
            try expectEqual(error, .joinTimeout(queues: [check.queue], unfinished: 1), "the error")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await operations.join(queue: check.queue, timeout: subject.patience) }
                // What is sent in its place belongs to what is waited for.
                let result = try await check.transport.commit(
                    check.commit(.acknowledge, deliveries[1], sends: ["c"]))
                try expectEqual(result.status, .committed, "the result")
                let last = try await check.expectNext(["c"], from: consumer)[0]
                try await check.end(.reject(reason: "no"), last)
                try await group.waitForAll()
            }
            await consumer.close()
        },
        Promise("joining a queue waits for delayed messages, too", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            try await check.sendDelayed("x")
            let error = try await expectError(BrokerError.self, "a message is delayed") {
                try await check.operations().join(queue: check.queue, timeout: .milliseconds(20))
            }
            try expectEqual(error, .joinTimeout(queues: [check.queue], unfinished: 1), "the error")
        },
        Promise("a message that goes from queue to queue is always counted in one of them", needs: [.operations]) {
            subject in
            let checks = [
                try await TransportCheck(subject), try await TransportCheck(subject, queue: "promise.other"),
                try await TransportCheck(subject, queue: "promise.third"),
            ]
            let operations = try checks[0].operations()
            let queues = checks.map(\.queue)
            var consumers: [any TransportConsumer] = []
            for check in checks { consumers.append(try await check.consumer()) }
            try await checks[0].send("a")
            let isLast = Flag()
            try await withThrowingTaskGroup(of: Void.self) { [consumers] group in
                group.addTask {
                    try await operations.join(queues: queues, timeout: subject.patience)
                    try expect(isLast.isSet, "joining ends after the last message")
                }
                group.addTask {
                    while !isLast.isSet {
                        let count = try await operations.unfinishedCount(queues: queues)
                        try expect(count > 0 || isLast.isSet, "the message is counted")
                        try Task.checkCancellation()
                        await Task.yield()
                    }
                }
                // Against every order in which queues could be looked at one after the other.
                var (place, step) = (0, 1)
                for hop in 1...300 {
                    let from = checks[place]
                    let delivery = try await from.expectNext(["a"], from: consumers[place])[0]
                    if hop.isMultiple(of: 50) { step = 3 - step }
                    place = (place + step) % 3
                    if hop == 300 { isLast.set() }
                    let result = try await from.transport.commit(
                        Commit(
                            end: Commit.End(delivery, .acknowledge),
                            sends: hop == 300 ? [] : checks[place].envelopes(["a"])))
                    try expectEqual(result.status, .committed, "the result")
                }
                try await group.waitForAll()
            }
            for consumer in consumers { await consumer.close() }
        },
    ]

    /// Removing messages.
    static let flushing: [Promise<any TransportSubject>] = [
        Promise("flushing removes what waits and what is delayed, and nothing else", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let other = try await TransportCheck(subject, queue: "promise.other")
            let operations = try check.operations()
            let consumer = try await check.consumer(prefetch: 2)
            try await check.send("a", "b")
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.end(.reject(reason: "no"), deliveries[0])
            try await check.send((0..<3000).map { "\($0)" })
            try await check.sendDelayed("x", "y")
            try await other.send("z")
            try expectEqual(try await operations.flush(queue: check.queue), 3002, "the flushed messages")
            try await check.expectStatus(inFlight: 1, deadLetters: 1)
            try await check.acknowledge(deliveries[1])
            try await operations.join(queue: check.queue, timeout: subject.patience)
            await consumer.close()
            try await check.expectStatus(deadLetters: 1)
            try await check.expectQueue([])
            try await other.expectQueue(["z"])
        },
        Promise("a delayed message that a worker holds is flushed, too", needs: [.operations]) { subject in
            let stage = try await WorkflowStage(subject)
            try await stage.broker.declare(queue: stage.queue)
            let operations = try stage.broker.operations
            try await stage.task.send("delayed", to: stage.broker, delay: .milliseconds(400))
            try await stage.work {
                // The worker takes it some time before that.
                try await stage.task.send("plain", to: stage.broker)
                try await stage.expectRun("plain")
                let flushed = try await operations.flush(queue: stage.queue)
                try await operations.join(queue: stage.queue, timeout: subject.patience)
                try await Task.sleep(for: .milliseconds(500))
                try await stage.settle()
                // On a slow machine it may have run before it was flushed.
                try expectEqual(
                    Set(stage.ran), flushed == 1 ? ["plain"] : ["plain", "delayed"], "the tasks that ran")
            }
            try expectEqual(try await operations.deadLetterCount(queue: stage.queue), 0, "the dead letters")
        },
    ]
}

extension TransportCheck {
    /// Sends messages that are due in an hour.
    func sendDelayed(_ names: String...) async throws {
        let eta = SystemClock.milliseconds() + 3_600_000
        let envelopes = names.map { name in
            var message = message(name, options: ["eta": .integer(eta)])
            message.queueName = QueueName.delayed(queue)
            return envelope(message)
        }
        let result = try await transport.commit(Commit(sends: Envelopes(envelopes)))
        try expectEqual(result.status, .committed, "the result of sending")
    }

    /// Finds out whether the queue's status has these counts, and whether the other counts agree.
    func expectStatus(
        waiting: Int = 0,
        inFlight: Int = 0,
        delayed: Int = 0,
        deadLetters: Int = 0,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let operations = try operations(file: file, line: line)
        let status = try await operations.status(queue: queue)
        try expectEqual(
            [status.waiting, status.inFlight, status.delayed, status.deadLetters],
            [waiting, inFlight, delayed, deadLetters], "what waits, is in flight, delayed and dead", file: file,
            line: line)
        try expectEqual(
            try await operations.unfinishedCount(queue: queue), waiting + inFlight + delayed, "the unfinished messages",
            file: file, line: line)
        try expectEqual(
            try await operations.deadLetterCount(queue: queue), deadLetters, "the dead letters", file: file, line: line)
    }
}
