import Dramatiq

extension TransportPromises {
    /// Messages that wait for their time.
    static let delays: [Promise<any TransportSubject>] = [
        Promise("a delayed message runs no earlier than its time, and keeps none waiting") { subject in
            let stage = try await WorkflowStage(subject)
            try await stage.broker.declare(queue: stage.queue)
            let delay = Duration.milliseconds(300)
            try await stage.task.send("in an hour", to: stage.broker, delay: .seconds(3600))
            let sent = ContinuousClock.now
            try await stage.task.send("delayed", to: stage.broker, delay: delay)
            try await stage.task.send("plain", to: stage.broker)
            try await stage.work {
                try await stage.expectRun("plain")
                try await stage.expectRun("delayed")
            }
            try expectEqual(stage.log.names.sorted(), ["delayed", "plain"], "the tasks that ran, sorted")
            // An `eta` has whole milliseconds.
            let waited = try unwrap(stage.log.time(of: "delayed"), "the delayed task") - sent
            try expect(waited >= delay - .milliseconds(2), "a wait of at least \(delay)", saw: "\(waited)")
        }
    ]

    /// What goes wrong on the way.
    static let faults: [Promise<any TransportSubject>] = [
        Promise("a commit that is refused changes nothing, and can be repeated", needs: [.refusedSteps]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            var commit = check.commit(.acknowledge, delivery, sends: ["b"], successors: ["c"])
            subject.faults.inject(.refuse)
            try await expectError("the commit is refused") { try await check.transport.commit(commit) }
            subject.faults.clear()
            try await check.expectQueue([])
            commit.isRepeated = true
            try expectEqual(try await check.transport.commit(commit).status, .committed, "the result of repeating it")
            await consumer.close()
            try await check.expectQueue(["b", "c"])
        },
        Promise("sending that is repeated because its answer was lost is done once", needs: [.lostAnswers]) { subject in
            let check = try await TransportCheck(subject)
            let result = try await check.commitTwice(Commit(sends: check.envelopes(["a", "b"])))
            try expectEqual(result.status, .committed, "the result of repeating it")
            try await check.expectQueue(["a", "b"])
        },
        Promise("sending many messages can be repeated after a lost answer", needs: [.lostAnswers, .operations]) {
            subject in
            let check = try await TransportCheck(subject)
            let names = (0..<6000).map { "\($0)" }
            for lost in 0..<3 {
                var commit = Commit(sends: check.envelopes(names))
                // A transport that sends them in fewer steps loses none of its answers.
                subject.faults.inject(.loseAnswer, at: lost)
                let first = await check.transport.commit([commit])
                subject.faults.clear()
                commit.isRepeated = true
                if case .failure? = first.first { try await check.transport.commit(commit) }
                try expectEqual(
                    try await check.operations().unfinishedCount(queue: check.queue), (lost + 1) * names.count,
                    "the number of messages")
            }
        },
        Promise("a commit that is repeated because its answer was lost is done once", needs: [.lostAnswers]) {
            subject in
            for outcome in [Commit.Outcome.acknowledge, .reject(reason: "no"), .requeue] {
                let check = try await TransportCheck(subject)
                try await check.send("a")
                let consumer = try await check.consumer()
                let delivery = try await check.expectNext(["a"], from: consumer)[0]
                let commit = check.commit(outcome, delivery, sends: ["b"], successors: ["c"])
                let result = try await check.commitTwice(commit)
                try expectEqual(result.status, .committed, "the result of repeating it (\(outcome))")
                await consumer.close()
                try await check.expectQueue(outcome == .requeue ? ["a", "b", "c"] : ["b", "c"])
            }
        },
        Promise("an acknowledgement that is repeated because its answer was lost is one", needs: [.lostAnswers]) {
            subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b")
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            let result = try await check.commitTwice(Commit(.acknowledge, deliveries[0]))
            try expectEqual(result.status, .committed, "the result of repeating it")
            try await check.acknowledge(deliveries[1])
            await consumer.close()
            try await check.expectQueue([])
        },
        Promise("a release that is repeated because its answer was lost is one", needs: [.lostAnswers, .barriers]) {
            subject in
            let (check, barrier, deliveries, consumer) = try await atBarrier(subject, parties: 1, messages: 1)
            let commit = check.commit(
                .acknowledge, deliveries[0], sends: ["b"], successors: ["follows"],
                state: barrier.arrival("a", releases: true))
            let result = try await check.commitTwice(commit)
            try expectEqual(result.status, .committed, "the result of repeating it")
            await consumer.close()
            try await check.expectQueue(["b", "follows"])
        },
        Promise("a message that comes with an answer which is lost is not lost", needs: [.lostAnswers]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a")
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            var commit = check.commit(.acknowledge, delivery, successors: ["b"])
            commit.relay = consumer
            let result = try await check.commitTwice(commit)
            try expectEqual(result.status, .committed, "the result of repeating it")
            if result.relayed == nil { try await check.expectNext(["b"], from: consumer) }
            await consumer.close()
            try await check.expectQueue(["b"])
        },
        Promise("what a client held that was killed comes back", needs: [.kills]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b", "c")
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.acknowledge(deliveries[1])
            try await subject.kill(check.transport)
            let other = try await check.another()
            let next = try await other.consumer()
            let seen = try await other.take(2, from: next).map(other.name)
            try expectEqual(Set(seen), ["a", "c"], "what another client gets")
            await next.close()
        },
        Promise("how often a message took its client with it is counted", needs: [.kills, .redelivery, .crashCounts]) {
            subject in
            var check = try await TransportCheck(subject)
            try await check.send("a", "b")
            var consumer = try await check.consumer()
            var held: [String: Delivery] = [:]

            /// Gives both messages to another client.
            func expectCrashes(_ a: Int, _ b: Int, line: Int = #line) async throws {
                check = try await check.another()
                consumer = try await check.consumer()
                held = [:]
                for delivery in try await check.take(2, from: consumer) { held[try check.name(delivery)] = delivery }
                let came = held.mapValues(\.isRedelivered)
                try expectEqual(came, ["a": true, "b": true], "whether they came back", line: line)
                try expectEqual(held.mapValues(\.crashes), ["a": a, "b": b], "the crashes", line: line)
            }
            func note(_ name: String, isUnderWay: Bool) async throws {
                try await consumer.note(unwrap(held[name], name), isUnderWay: isUnderWay)
            }

            try await check.expectNext(["a", "b"], from: consumer)
            try await subject.kill(check.transport)
            try await expectCrashes(0, 0)
            try await note("a", isUnderWay: true)
            try await subject.kill(check.transport)
            try await expectCrashes(1, 0)
            // What was survived doesn't count, nor what ends in order.
            try await note("a", isUnderWay: true)
            try await note("a", isUnderWay: false)
            try await note("b", isUnderWay: true)
            try await check.end(.requeue, unwrap(held["b"], "b"))
            try await subject.kill(check.transport)
            try await expectCrashes(1, 0)
            try await note("a", isUnderWay: true)
            await consumer.close()
            try await expectCrashes(1, 0)
            try await note("a", isUnderWay: true)
            try await subject.kill(check.transport)
            try await expectCrashes(2, 0)
            await consumer.close()
        },
        Promise("a connection that ends loses no message", needs: [.cuts]) { subject in
            let check = try await TransportCheck(subject)
            let names = (0..<20).map { "\($0)" }
            try await check.send(names)
            let consumer = try await check.consumer()
            var seen: Set<String> = []
            while seen.count < names.count {
                try await subject.cut()
                for delivery in try await repeating(within: subject.patience, { try await consumer.next(limit: 7) }) {
                    seen.insert(try check.name(delivery))
                    var commit = Commit(.acknowledge, delivery)
                    try await subject.cut()
                    _ = try await repeating(within: subject.patience) {
                        defer { commit.isRepeated = true }
                        return try await check.transport.commit(commit)
                    }
                }
            }
            await consumer.close()
            try await check.expectQueue([])
        },
        Promise("a restart of the server loses no message", needs: [.restarts]) { subject in
            let check = try await TransportCheck(subject)
            try await check.send("a", "b", "c")
            let consumer = try await check.consumer()
            let deliveries = try await check.expectNext(["a", "b"], from: consumer)
            try await check.acknowledge(deliveries[0])
            try await subject.restart()
            var commit = Commit(.acknowledge, deliveries[1])
            let result = try await repeating(within: subject.patience) {
                defer { commit.isRepeated = true }
                return try await check.transport.commit(commit)
            }
            try expectEqual(result.status, .committed, "the result of an acknowledgement after the restart")
            await consumer.close()
            try await check.expectQueue(["c"])
        },
    ]
}
