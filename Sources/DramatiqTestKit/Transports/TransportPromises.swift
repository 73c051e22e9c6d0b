import Dramatiq

/// What a `Transport` promises: messages in their order, held until they end, and commits that hold together; and its
/// operations, as ``OperationsPromises``.
public enum TransportPromises {
    public static var all: [Promise<any TransportSubject>] {
        queues + consumers + ends + commits + barriers + results + delays + faults + OperationsPromises.all
    }

    /// What is in a queue.
    static let queues: [Promise<any TransportSubject>] = [
        Promise("declaring a queue twice changes nothing") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b")
            try await check.transport.declare(queue: check.queue)
            try await check.another().expectQueue(["a", "b"])
        },
        Promise("a worker can do what it has to, and the traits are what is claimed") { subject in
            let check = try await TransportCheck(subject)
            try await check.transport.verifyAccess(to: [check.queue])
            try expectEqual(
                check.transport.traits.claims, subject.claims.intersection(Claim.ofTraits), "the claims of the traits")
        },
        Promise("messages are delivered in the order in which they were sent") { subject in
            let check = try await TransportCheck(subject)
            let names = (0..<50).map { "\($0)" }
            for name in names[..<10] { try await check.send(name) }
            try await check.send(Array(names[10...]))
            try await check.expectQueue(names)
        },
        Promise("many messages in one commit are all there, in their order") { subject in
            let check = try await TransportCheck(subject)
            let names = (0..<3000).map { "\($0)" }
            try await check.send(names)
            let consumer = try await check.consumer(prefetch: names.count)
            try await check.expectNext(names, from: consumer)
            await consumer.close()
        },
        Promise("a message is delivered as it was sent") { subject in
            let check = try await TransportCheck(subject)
            let sent = SampleMessages.all(queue: check.queue)
            for message in sent {
                try await check.transport.commit(Commit(sends: Envelopes(check.envelope(message))))
            }
            let consumer = try await check.consumer()
            for (message, delivery) in zip(sent, try await check.take(sent.count, from: consumer)) {
                var seen = try check.message(of: delivery)
                // A transport may add options of its own.
                for member in seen.options.object.members where message.options[member.key] == nil {
                    seen.options[member.key] = nil
                }
                try expectEqual(seen, message, "the message")
                try expectEqual(delivery.queueName, check.queue, "the delivery's queue")
            }
            await consumer.close()
        },
        Promise("queues don't touch each other") { subject in
            let (one, other) = (
                try await TransportCheck(subject), try await TransportCheck(subject, queue: "promise.other")
            )
            try await one.send("a")
            try await other.send("b")
            try await other.expectQueue(["b"])
            try await one.expectQueue(["a"])
        },
        Promise("messages with a larger priority are delivered first", needs: [.priorities]) { subject in
            let check = try await TransportCheck(subject)
            for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 9), ("e", 5)] {
                let message = check.message(name, options: ["broker_priority": .integer(priority)])
                try await check.transport.commit(Commit(sends: Envelopes(check.envelope(message))))
            }
            let consumer = try await check.consumer()
            try await check.expectNext(["d", "b", "e", "a", "c"], from: consumer)
            await consumer.close()
        },
    ]

    /// Taking messages.
    static let consumers: [Promise<any TransportSubject>] = [
        Promise("a consumer takes no more than its limit, and one if that is less") { subject in
            let check = try await TransportCheck(subject)
            try await check.send((0..<20).map { "\($0)" })
            let consumer = try await check.consumer()
            var seen: [String] = []
            for limit in [3, 1, 0, -1, .min, 5] {
                let deliveries = try await within(subject.patience, "messages for a limit of \(limit)") {
                    try await consumer.next(limit: limit)
                }
                try expect(
                    (1...max(1, limit)).contains(deliveries.count), "1 to \(max(1, limit)) messages",
                    saw: "\(deliveries.count)")
                seen += try deliveries.map(check.name)
            }
            try expectEqual(seen, (0..<seen.count).map { "\($0)" }, "the messages")
            await consumer.close()
        },
        Promise("a consumer that waits gets what comes") { subject in
            let check = try await TransportCheck(subject)
            let other = try await check.another()
            for client in [check, other] {
                let consumer = try await check.consumer()
                let waiting = Task { try await check.take(from: consumer) }
                await Task.yield()
                try await client.send("a")
                let deliveries = try await waiting.value
                try expectEqual(try deliveries.map(check.name), ["a"], "what the consumer got")
                for delivery in deliveries { try await check.acknowledge(delivery) }
                await consumer.close()
            }
        },
        Promise("a consumer's wait ends when it is closed or its task is cancelled") { subject in
            let check = try await TransportCheck(subject)
            let closed = try await check.consumer()
            let first = Task { try await closed.next(limit: 1) }
            await Task.yield()
            await closed.close()
            let seen = try await within(subject.patience, "the end of a closed consumer's wait") {
                try await first.value.count
            }
            try expectEqual(seen, 0, "the number of messages that a closed consumer got")
            let cancelled = try await check.consumer()
            let second = Task { try await cancelled.next(limit: 1) }
            await Task.yield()
            second.cancel()
            _ = try await within(subject.patience, "the end of a cancelled wait") {
                // Whether it ends with nothing or with a `CancellationError`.
                (try? await second.value)?.count ?? 0
            }
            await cancelled.close()
            try await check.send("a")
            try await check.expectQueue(["a"])
        },
        Promise("each message goes to one consumer") { subject in
            let check = try await TransportCheck(subject)
            let names = (0..<200).map { "\($0)" }
            try await check.send(names)
            let seen = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<4 {
                    let client = try await check.another()
                    group.addTask {
                        let consumer = try await client.consumer(prefetch: 20)
                        var seen: [String] = []
                        for _ in 0..<10 {
                            for delivery in try await client.take(5, from: consumer) {
                                seen.append(try client.name(delivery))
                                try await client.acknowledge(delivery)
                            }
                        }
                        await consumer.close()
                        return seen
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try expectEqual(seen.count, names.count, "the number of deliveries")
            try expectEqual(Set(seen), Set(names), "the messages")
            try await check.expectQueue([])
        },
        Promise("a message that was taken and not ended comes back when its consumer is closed") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b", "c")
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(["a", "b", "c"], from: consumer)
            try await check.acknowledge(deliveries[1])
            await consumer.close()
            let other = try await check.another()
            let next = try await other.consumer()
            let returned = try await other.take(2, from: next).map(other.name)
            try expectEqual(Set(returned), ["a", "c"], "what came back")
            await next.close()
            try await check.expectNotHeld(
                check.commit(.acknowledge, deliveries[0], sends: ["x"]), "its consumer was closed")
        },
        Promise("messages are taken without waiting", needs: [.immediacy]) { subject in
            let check = try await TransportCheck(subject)
            let consumer = try await check.consumer()
            try expect(consumer.takeNow() == nil, "nothing in an empty queue")
            let send = Commit(sends: check.envelopes(["a", "b"]))
            let sent = try unwrap(check.transport.commitNow(send), "a commit without waiting").get()
            try expectEqual(sent.status, .committed, "the result of sending")
            for name in ["a", "b"] {
                let delivery = try unwrap(consumer.takeNow(), "a message without waiting")
                try expectEqual(try check.name(delivery), name, "the message")
                let end = try unwrap(check.transport.commitNow(Commit(.acknowledge, delivery)), "a commit").get()
                try expectEqual(end.status, .committed, "the result of an acknowledgement")
            }
            let waiting = Task { try await check.take(from: consumer) }
            await Task.yield()
            _ = try unwrap(check.transport.commitNow(Commit(sends: check.envelopes(["c"]))), "a commit").get()
            check.transport.wakeConsumers()
            try expectEqual(try await waiting.value.map(check.name), ["c"], "what a consumer got that waited")
            await consumer.close()
        },
    ]
}
