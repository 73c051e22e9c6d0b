import Dramatiq

extension TransportPromises {
    /// What one commit, or several, do.
    static let commits: [Promise<any TransportSubject>] = [
        Promise("all of a commit holds: the end, what is sent, and what follows, in this order") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            let result = try await check.transport.commit(
                check.commit(.acknowledge, delivery, sends: ["b", "c"], successors: ["d", "e"]))
            try expectEqual(result.status, .committed, "the result of the commit")
            await consumer.close()
            try await check.another().expectQueue(["b", "c", "d", "e"])
        },
        Promise("what can't be sent makes its commit fail, and nothing of it is done") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            var tooDeep = check.message("too deep")
            tooDeep.args = [SampleMessages.nested(5000)]
            var commit = check.commit(.acknowledge, delivery, sends: ["b"])
            commit.successors = Envelopes(check.envelope(tooDeep))
            try await expectError("a message is nested too deep to be read") {
                try await check.transport.commit(commit)
            }
            // It still is held.
            try await check.acknowledge(delivery)
            await consumer.close()
            try await check.expectQueue([])
        },
        Promise("commits are answered in their order, and one that fails stops no other") { subject in
            let check = try await TransportCheck(subject)
            let count = min(20, check.transport.traits.maxBatch)
            let names = (0..<count).map { "\($0)" }
            try await check.send(names + ["gone"])
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(names + ["gone"], from: consumer)
            try await check.acknowledge(deliveries[count])
            // Each third one ends what has ended.
            let commits = names.indices.map { index in
                check.commit(
                    .acknowledge, index % 3 == 1 ? deliveries[count] : deliveries[index], sends: ["sent \(index)"])
            }
            let results = await check.transport.commit(commits)
            try expectEqual(results.count, count, "the number of results")
            for (index, result) in results.enumerated() {
                switch result {
                case .success(let result):
                    try expect(index % 3 != 1, "commit \(index) to fail, whose delivery has ended")
                    try expectEqual(result.status, .committed, "the result of commit \(index)")
                case .failure(let error):
                    try expect(index % 3 == 1, "commit \(index) to hold", saw: "\(error)")
                }
            }
            for index in names.indices where index % 3 == 1 { try await check.acknowledge(deliveries[index]) }
            await consumer.close()
            try await check.expectQueue(names.indices.filter { $0 % 3 != 1 }.map { "sent \($0)" })
        },
        Promise("a commit goes on when its task is cancelled", needs: [.steadyCommits]) { subject in
            let check = try await TransportCheck(subject)
            let names = (0..<20).map { "\($0)" }
            try await check.send(names)
            let consumer = try await check.consumer()
            for (index, delivery) in try await check.expectNext(names, from: consumer).enumerated() {
                let commit = check.commit(.acknowledge, delivery, sends: ["sent \(index)"])
                let task = Task { try await check.transport.commit(commit) }
                // Before it has begun, and at some time later.
                for _ in 0..<index { await Task.yield() }
                task.cancel()
                try expectEqual(try await task.value.status, .committed, "the result of commit \(index)")
            }
            await consumer.close()
            try await check.expectQueue(names.indices.map { "sent \($0)" })
        },
        Promise("the first successor is in its queue or comes with the answer, and not both") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            var commit = check.commit(.acknowledge, delivery, successors: ["b", "c"])
            commit.relay = consumer
            let result = try await check.transport.commit(commit)
            try expectEqual(result.status, .committed, "the result of the commit")
            if let relayed = result.relayed {
                try expectEqual(try check.name(relayed), "b", "the message that came with the answer")
                try await check.expectNext(["c"], from: consumer)
                try await check.end(.requeue, relayed)
                try await check.expectNext(["b"], from: consumer)
            } else {
                try await check.expectNext(["b", "c"], from: consumer)
            }
            await consumer.close()
        },
        Promise("nothing that comes with an answer overtakes what waits") { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "waits")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            var commit = check.commit(.acknowledge, delivery, successors: ["b"])
            commit.relay = consumer
            let result = try await check.transport.commit(commit)
            try expect(result.relayed == nil, "no message with the answer, since another one waits")
            try await check.expectNext(["waits", "b"], from: consumer)
            await consumer.close()
        },
    ]

    /// Commits with steps at barriers in them.
    static let barriers: [Promise<any TransportSubject>] = [
        Promise("the store is in the same place", needs: [.barriers]) { subject in
            let check = try await TransportCheck(subject)
            let store = try await subject.makeStore(beside: check.transport)
            try expect(check.transport.includes(store), "the transport to include the store")
        },
        Promise("what follows is sent with the release, in one commit", needs: [.barriers]) { subject in
            let (check, barrier, deliveries, consumer) = try await atBarrier(subject, parties: 2, messages: 2)
            let waiting = try await check.transport.commit(
                check.commit(
                    .acknowledge, deliveries[0], sends: ["sent"], successors: ["follows"],
                    state: barrier.arrival("a", releases: true)))
            try expectEqual(waiting.status, .notReleased, "the result of the first party's commit")
            let released = try await check.transport.commit(
                check.commit(
                    .acknowledge, deliveries[1], successors: ["follows"], state: barrier.arrival("b", releases: true)))
            try expectEqual(released.status, .committed, "the result of the last party's commit")
            await consumer.close()
            try await check.expectQueue(["sent", "follows"])
            try await barrier.expectArrival("c", .alreadyReleased)
        },
        Promise("an arrival that opens a barrier leaves the delivery held", needs: [.barriers]) { subject in
            let (check, barrier, deliveries, consumer) = try await atBarrier(subject, parties: 1, messages: 1)
            let opened = try await check.transport.commit(
                check.commit(
                    .acknowledge, deliveries[0], sends: ["x"], successors: ["y"],
                    state: barrier.arrival("a", releases: false)))
            try expectEqual(opened.status, .opened, "the result of the last party's commit")
            let released = try await check.transport.commit(
                check.commit(
                    .acknowledge, deliveries[0], successors: ["follows"],
                    state: StateCommit(store: barrier.store, releases: [barrier.barrier])))
            try expectEqual(released.status, .committed, "the result of the release")
            await consumer.close()
            try await check.expectQueue(["follows"])
        },
        Promise("a barrier that is not there makes its commit fail, and nothing of it is done", needs: [.barriers]) {
            subject in
            let check = try await TransportCheck(subject)
            let barrier = BarrierCheck(try await subject.makeStore(beside: check.transport), subject)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            let commit = check.commit(
                .acknowledge, delivery, sends: ["x"], successors: ["y"], state: barrier.arrival("a", releases: true))
            let lost = try await expectError(BarrierStateLost.self, "nobody made the barrier") {
                try await check.transport.commit(commit)
            }
            try expectEqual(lost.key, barrier.barrier.key, "the key in the error")
            try await check.acknowledge(delivery)
            await consumer.close()
            try await check.expectQueue([])
        },
        Promise("a delivery that is not held counts at no barrier", needs: [.barriers]) { subject in
            let (check, barrier, deliveries, consumer) = try await atBarrier(subject, parties: 2, messages: 1)
            try await check.acknowledge(deliveries[0])
            try await check.expectNotHeld(
                check.commit(.acknowledge, deliveries[0], state: barrier.arrival("a", releases: false)),
                "the delivery has ended")
            try await barrier.expectArrival("b", .committed)
            await consumer.close()
        },
        Promise("arrivals that go together are counted each", needs: [.barriers]) { subject in
            let check = try await TransportCheck(subject)
            let count = min(20, check.transport.traits.maxBatch)
            let (_, barrier, deliveries, consumer) = try await atBarrier(
                subject, check, parties: count + 1, messages: count)
            let results = await check.transport.commit(
                deliveries.enumerated().map { index, delivery in
                    check.commit(.acknowledge, delivery, state: barrier.arrival("\(index)", releases: false))
                })
            for result in results { try expectEqual(try result.get().status, .committed, "the result of an arrival") }
            try await barrier.expectArrival("0", .committed)
            try await barrier.expectArrival("last", .opened)
            await consumer.close()
            try await check.expectQueue([])
        },
    ]

    /// A barrier, and messages that are held.
    static func atBarrier(
        _ subject: any TransportSubject,
        _ given: TransportCheck? = nil,
        parties: Int,
        messages: Int
    ) async throws -> (TransportCheck, BarrierCheck, [Delivery], any TransportConsumer) {
        let check = if let given { given } else { try await TransportCheck(subject) }
        let barrier = BarrierCheck(try await subject.makeStore(beside: check.transport), subject)
        try await barrier.create(parties: parties)
        let names = (0..<messages).map { "message \($0)" }
        try await check.send(names)
        let consumer = try await check.consumer()
        return (check, barrier, try await check.expectNext(names, from: consumer), consumer)
    }
}

extension BarrierCheck {
    func arrival(_ party: String, releases: Bool) -> StateCommit {
        StateCommit(store: store, arrival: .init(barrier: barrier, party: party, releases: releases))
    }
}

extension SampleMessages {
    /// So many arrays in each other.
    static func nested(_ depth: Int) -> JSONValue {
        var value: JSONValue = []
        for _ in 0..<depth { value = .array(JSONArray([value])) }
        return value
    }
}
