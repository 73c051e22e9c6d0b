import Dramatiq

extension OperationsPromises {
    /// Pausing queues.
    static let pausing: [Promise<any TransportSubject>] = [
        Promise("nothing is taken from a paused queue, and all of it once that is resumed", needs: [.pausing]) {
            subject in
            let check = try await TransportCheck(subject)
            let other = try await check.another()
            let operations = try check.operations()
            let consumers = [try await check.consumer(), try await other.consumer()]
            try await check.send("a", "b")
            let deliveries = try await check.expectNext(["a", "b"], from: consumers[0])
            try await operations.pause(queue: check.queue)
            try await operations.pause(queue: check.queue)
            try await withThrowingTaskGroup(of: [String].self) { group in
                for consumer in consumers {
                    group.addTask { try await check.take(from: consumer).map(check.name) }
                }
                // What is sent, what comes back, and what follows from a message.
                try await other.send("d")
                try await check.end(.requeue, deliveries[1])
                var commit = check.commit(.acknowledge, deliveries[0], successors: ["e"])
                commit.relay = consumers[0]
                let result = try await check.transport.commit(commit)
                try expect(result.relayed == nil, "a successor that waits, too")
                try await check.expectPaused(waiting: 3)
                try await other.operations().resume(queue: check.queue)
                let taken = try await group.reduce(into: []) { $0 += $1 }
                try expectEqual(Set(taken), ["b", "d"], "the first messages")
            }
            try await check.expectNext(["e"], from: consumers[0])
            let status = try await operations.status(queue: check.queue)
            try expect(!status.isPaused, "a queue that isn't paused any more")
            try expectEqual([status.waiting, status.inFlight], [0, 3], "what waits and is in flight")
            for consumer in consumers { await consumer.close() }
        },
        Promise("a successor waits in a paused queue", needs: [.pausing]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let consumer = try await check.consumer()
            try await check.send("a")
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            try await operations.pause(queue: check.queue)
            var commit = check.commit(.acknowledge, delivery, successors: ["b"])
            commit.relay = consumer
            let result = try await check.transport.commit(commit)
            try expect(result.relayed == nil, "a successor that nobody gets")
            try await check.expectPaused(waiting: 1)
            try await operations.resume(queue: check.queue)
            try await check.expectNext(["b"], from: consumer)
            await consumer.close()
        },
        Promise("a paused queue is known by its name, and others go on", needs: [.pausing]) { subject in
            let check = try await TransportCheck(subject)
            let other = try await TransportCheck(subject, queue: "promise.other")
            let operations = try check.operations()
            // Nothing was ever sent there.
            let unused = "promise.unused"
            for name in [unused, QueueName.delayed(check.queue)] { try await operations.pause(queue: name) }
            try await other.send("z")
            try await other.expectQueue(["z"])
            let late = try await check.another().operations()
            try expect(try await late.queueNames().contains(unused), "a paused queue among the names")
            for name in [unused, check.queue, QueueName.deadLetter(check.queue)] {
                try expect(try await late.status(queue: name).isPaused, "queue \(name) to be paused")
            }
            try expect(try await !late.status(queue: other.queue).isPaused, "another queue not to be paused")
            for name in [unused, check.queue, other.queue] { try await late.resume(queue: name) }
            for name in [unused, check.queue, other.queue] {
                try expect(try await !operations.status(queue: name).isPaused, "queue \(name) not to be paused")
            }
            let error = try await expectError(BrokerError.self, "no queue has such a name") {
                try await operations.pause(queue: "no queue")
            }
            try expectEqual(error.code, .invalidQueueName, "the code of the error")
        },
        Promise("a paused queue can be flushed, and joining it waits", needs: [.pausing]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            try await operations.pause(queue: check.queue)
            try await check.send("a", "b")
            try await check.sendDelayed("x")
            let error = try await expectError(BrokerError.self, "messages wait") {
                try await operations.join(queue: check.queue, timeout: .milliseconds(20))
            }
            try expectEqual(error, .joinTimeout(queues: [check.queue], unfinished: 3), "the error")
            try expectEqual(try await operations.flush(queue: check.queue), 3, "the flushed messages")
            try await operations.join(queue: check.queue, timeout: subject.patience)
            try await check.send("c")
            try await check.expectPaused(waiting: 1)
            try await operations.resume(queue: check.queue)
            try await check.expectQueue(["c"])
        },
        Promise("what a worker has not begun of a queue that is paused goes back in its order", needs: [.pausing]) {
            subject in
            let stage = try await WorkflowStage(subject)
            let operations = try stage.broker.operations
            let (log, isMended) = (stage.log, stage.isMended)
            let long = TaskActor("long", queue: stage.queue) { (name: String) in
                log.add(name)
                while !isMended.isSet { try await Task.sleep(for: .milliseconds(5)) }
            }
            try await stage.broker.declare(long)
            let names = (0..<7).map { "\($0)" }
            try await stage.broker.enqueue([long.message("long")] + names.map { stage.task.message($0) })
            try await Worker(stage.broker, concurrency: 1, prefetch: 10).run {
                try await stage.expectRun("long")
                try await operations.pause(queue: stage.queue)
                try await eventually(within: subject.patience, "what was not begun to go back") {
                    let status = try await operations.status(queue: stage.queue)
                    return status.waiting == names.count && status.inFlight == 1
                }
                try await stage.task.send("7", to: stage.broker)
                isMended.set()
                try await eventually(within: subject.patience, "what runs to end") {
                    try await operations.status(queue: stage.queue).inFlight == 0
                }
                // The worker has nothing else to do.
                try await Task.sleep(for: .milliseconds(300))
                try expectEqual(log.names, ["long"], "the tasks that ran")
                try await operations.resume(queue: stage.queue)
                try await operations.join(queue: stage.queue, timeout: subject.patience)
                try expectEqual(log.names, ["long"] + names + ["7"], "the tasks that ran")
            }
            try expectEqual(try await operations.deadLetterCount(queue: stage.queue), 0, "the dead letters")
        },
        Promise("a delayed message that is due waits in a paused queue", needs: [.pausing]) { subject in
            let stage = try await WorkflowStage(subject)
            let operations = try stage.broker.operations
            try await operations.pause(queue: stage.queue)
            try await stage.task.send("delayed", to: stage.broker, delay: .milliseconds(100))
            try await stage.work {
                try await Task.sleep(for: .milliseconds(400))
                try expectEqual(stage.ran, [], "the tasks that ran")
                try expectEqual(
                    try await operations.unfinishedCount(queue: stage.queue), 1, "the unfinished messages")
                try await operations.resume(queue: stage.queue)
                try await operations.join(queue: stage.queue, timeout: subject.patience)
                try expectEqual(stage.ran, ["delayed"], "the tasks that ran")
            }
        },
        Promise("what a client held that was killed waits in a paused queue", needs: [.pausing, .kills]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            try await check.expectNext(["a"], from: try await check.consumer())
            let other = try await check.another()
            let operations = try other.operations()
            try await operations.pause(queue: check.queue)
            try await subject.kill(check.transport)
            let consumer = try await other.consumer()
            try await withThrowingTaskGroup(of: [String].self) { group in
                group.addTask { try await other.take(from: consumer).map(other.name) }
                try await eventually(within: subject.patience, "the message to come back") {
                    try await operations.status(queue: check.queue).waiting == 1
                }
                try await other.expectPaused(waiting: 1)
                try await operations.resume(queue: check.queue)
                let seen = try await group.next()
                try expectEqual(seen, ["a"], "what another client gets")
            }
            await consumer.close()
        },
        Promise("a queue stays paused when the server is restarted", needs: [.pausing, .restarts]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            try await operations.pause(queue: check.queue)
            try await check.send("a")
            try await subject.restart()
            try await repeating(within: subject.patience) {
                _ = try await operations.status(queue: check.queue)
            }
            try await check.expectPaused(waiting: 1)
            try await operations.resume(queue: check.queue)
            try await check.expectQueue(["a"])
        },
    ]
}

extension TransportCheck {
    /// Finds out whether the queue is paused, and whether so many messages wait in it although there is time to take them.
    fileprivate func expectPaused(waiting: Int, file: String = #fileID, line: Int = #line) async throws {
        let consumer = try await consumer()
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await consumer.next(limit: 1).count }
            try await Task.sleep(for: .milliseconds(200))
            try expect(
                try await operations(file: file, line: line).status(queue: queue).isPaused, "a paused queue",
                file: file, line: line)
            try await expectStatus(waiting: waiting, file: file, line: line)
            group.cancelAll()
            let taken = try await group.next()
            try expectEqual(taken, 0, "the number of messages that were taken", file: file, line: line)
        }
        await consumer.close()
    }
}
