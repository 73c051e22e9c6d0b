import Dramatiq

extension TransportPromises {
    /// How deliveries end.
    static let ends: [Promise<any TransportSubject>] = [
        Promise("an acknowledged message never comes back") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b", "c")
            let consumer = try await check.consumer()
            for delivery in try await check.expectNext(["a", "b", "c"], from: consumer) {
                try await check.acknowledge(delivery)
            }
            try await check.expectQueue([])
            await consumer.close()
            try await check.another().expectQueue([])
        },
        Promise("a returned message goes to the front of its queue") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b", "c", "d")
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.end(.requeue, deliveries[1])
            try await check.end(.requeue, deliveries[0])
            try await check.expectNext(["a", "b", "c", "d"], from: consumer)
            await consumer.close()
        },
        Promise("a rejected message doesn't come back by itself") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b")
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.end(.reject(reason: "no"), deliveries[0])
            try await check.end(.requeue, deliveries[1])
            await consumer.close()
            try await check.another().expectQueue(["b"])
        },
        Promise("a rejected message is kept as a dead letter, with its reason", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b", "c")
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(["a", "b", "c"], from: consumer)
            try await check.end(.reject(reason: "because of ä"), deliveries[0])
            try await check.acknowledge(deliveries[1])
            try await check.end(.reject(reason: "another"), deliveries[2])
            await consumer.close()
            let other = try await check.another()
            let letters = try await other.deadLetters()
            try expectEqual(letters.map(\.reason), ["because of ä", "another"], "the reasons")
            try expectEqual(
                try letters.map { try $0.message().args.elements.first?.stringValue }, ["a", "c"],
                "the messages of the dead letters")
        },
        Promise("a delivery ends once") { subject in
            let check = try await TransportCheck(subject)
            for outcome in [Commit.Outcome.acknowledge, .reject(reason: "no")] {
                try await check.send("a")
                let consumer = try await check.consumer()
                let delivery = try await check.expectNext(["a"], from: consumer)[0]
                try await check.end(outcome, delivery)
                for again in [Commit.Outcome.acknowledge, .reject(reason: "no"), .requeue] {
                    try await check.expectNotHeld(
                        check.commit(again, delivery, sends: ["x"], successors: ["y"]), "the delivery has ended")
                }
                await consumer.close()
                try await check.expectQueue([])
            }
        },
        Promise("what came back is told apart from what is new", needs: [.redelivery]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b")
            let consumer = try await check.consumer()
            let first = try await check.expectNext(["a", "b"], from: consumer)
            try expectEqual(first.map(\.isRedelivered), [false, false], "whether new messages came back")
            try await check.end(.requeue, first[0])
            await consumer.close()
            let next = try await check.consumer()
            let second = try await check.take(2, from: next)
            try expectEqual(second.map(\.isRedelivered), [true, true], "whether returned messages came back")
            await next.close()
        },
    ]
}
