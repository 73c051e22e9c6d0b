import Dramatiq

extension OperationsPromises {
    /// Looking after dead letters.
    static let deadLetters: [Promise<any TransportSubject>] = [
        Promise("dead letters are listed page by page, the oldest first", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let names = (0..<25).map { "\($0)" }
            try await check.bury(names)
            let all = try await operations.deadLetters(queue: check.queue, offset: 0, limit: .max)
            try expectEqual(Set(try all.map(check.name)), Set(names), "the dead letters")
            try expectEqual(all.map(\.timestamp), all.map(\.timestamp).sorted(), "the order of the times")
            for letter in all {
                try expectEqual(letter.reason, "reason \(try check.name(letter))", "a reason")
                try expectEqual(letter.queueName, check.queue, "a letter's queue")
            }
            var pages: [String] = []
            for offset in stride(from: 0, to: 30, by: 10) {
                pages += try await operations.deadLetters(queue: check.queue, offset: offset, limit: 10).map(\.id)
            }
            try expectEqual(pages, all.map(\.id), "the pages")
            for (offset, limit, count) in [(.min, 5, 5), (0, 0, 0), (0, .min, 0), (.max, .max, 0), (24, .max, 1)] {
                try expectEqual(
                    try await operations.deadLetters(queue: check.queue, offset: offset, limit: limit).count, count,
                    "the letters from \(offset), at most \(limit)")
            }
        },
        Promise("a dead letter is found by its id, and one that isn't there is an error", needs: [.operations]) {
            subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let letters = try await check.bury(["a", "b"])
            for letter in letters {
                let found = try await operations.deadLetter(letter.id, queue: check.queue)
                try expectEqual(try check.name(found), try check.name(letter), "the dead letter of an id")
            }
            let missing = BrokerError.deadLetterNotFound(queue: check.queue, id: "none")
            for (what, operation) in [
                ("find", { _ = try await operations.deadLetter("none", queue: check.queue) }),
                (
                    "requeue",
                    {
                        try await operations.requeueDeadLetter(
                            "none", queue: check.queue, encoder: JSONMessageEncoder())
                    }
                ),
                ("remove", { try await operations.removeDeadLetter("none", queue: check.queue) }),
            ] as [(String, () async throws -> Void)] {
                let error = try await expectError(BrokerError.self, "there is none to \(what)", operation)
                try expectEqual(error, missing, "the error")
            }
            try await check.expectStatus(deadLetters: 2)
        },
        Promise("a dead letter that is requeued is processed as a new message", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let options: MessageOptions = [
                "retries": 3, "traceback": "…", "requeue_timestamp": 1, "eta": 1, "mine": "kept",
            ]
            let letters = try await check.bury(["a", "b"], options: options)
            let letter = try unwrap(try letters.first { try check.name($0) == "a" }, "the dead letter")
            try await operations.requeueDeadLetter(letter.id, queue: check.queue, encoder: JSONMessageEncoder())
            try await check.expectStatus(waiting: 1, deadLetters: 1)
            let consumer = try await check.consumer()
            let delivery = try await check.expectNext(["a"], from: consumer)[0]
            let message = try check.message(of: delivery)
            try expectEqual(message.options["mine"], "kept", "an option of the message's own")
            for name in ["retries", "traceback", "requeue_timestamp", "eta"] {
                try expect(message.options[name] == nil, "no \(name)", saw: "\(message.options)")
            }
            try await check.acknowledge(delivery)
            await consumer.close()
        },
        Promise("a dead letter whose delay is not over goes on waiting", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let eta = SystemClock.milliseconds() + 3_600_000
            let letter = try await check.bury(["a"], options: ["eta": .integer(eta)])[0]
            try await check.operations().requeueDeadLetter(letter.id, queue: check.queue, encoder: JSONMessageEncoder())
            try await check.expectStatus(delayed: 1)
        },
        Promise("many dead letters are requeued, all or those that are meant", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            try await check.bury(["a1", "b1", "a2", "b2", "a3"])
            let some = try await operations.requeueDeadLetters(queue: check.queue, encoder: JSONMessageEncoder()) {
                $0.reason.hasPrefix("reason a")
            }
            try expectEqual(some, 3, "the number of those that are meant")
            try await check.expectStatus(waiting: 3, deadLetters: 2)
            let rest = try await operations.deadLetters(queue: check.queue, offset: 0, limit: 10)
            try expectEqual(Set(try rest.map(check.name)), ["b1", "b2"], "those that stay")
            let all = try await operations.requeueDeadLetters(
                queue: check.queue, encoder: JSONMessageEncoder(), where: nil)
            try expectEqual(all, 2, "the number of the others")
            try await check.expectStatus(waiting: 5)
            try expectEqual(
                try await operations.requeueDeadLetters(
                    queue: check.queue, encoder: JSONMessageEncoder(), where: nil), 0, "the number when there are none")
        },
        Promise("dead letters are removed for good: one, those that are meant, all", needs: [.operations]) { subject in
            let check = try await TransportCheck(subject)
            let operations = try check.operations()
            let letters = try await check.bury((0..<210).map { "\($0)" })
            try await operations.removeDeadLetter(letters[0].id, queue: check.queue)
            try await expectError(BrokerError.self, "it is removed") {
                try await operations.removeDeadLetter(letters[0].id, queue: check.queue)
            }
            let short = try letters.dropFirst().filter { try check.name($0).count == 2 }.count
            let removed = try await operations.removeDeadLetters(queue: check.queue) { letter in
                try letter.message().args.elements.first?.stringValue?.count == 2
            }
            try expectEqual(removed, short, "the number of those that are meant")
            try await check.expectStatus(deadLetters: 209 - short)
            try expectEqual(
                try await operations.removeDeadLetters(queue: check.queue, where: nil), 209 - short,
                "the number of the others")
            try await check.expectStatus()
            try await check.expectQueue([])
        },
        Promise("a filter that fails stops what it filters", needs: [.operations]) { subject in
            struct Failure: Error {}
            let check = try await TransportCheck(subject)
            try await check.bury(["a"])
            try await expectError(Failure.self, "the filter fails") {
                try await check.operations().removeDeadLetters(queue: check.queue) { _ in throw Failure() }
            }
            try await check.expectStatus(deadLetters: 1)
        },
    ]
}

extension TransportCheck {
    func name(_ letter: DeadLetter) throws -> String {
        try letter.message().args.elements.first?.stringValue ?? "?"
    }

    /// Makes messages dead letters.
    ///
    /// - Returns: all of the queue, the oldest first.
    @discardableResult
    func bury(_ names: [String], options: MessageOptions = [:]) async throws -> [DeadLetter] {
        let envelopes = names.map { envelope(message($0, options: options)) }
        let result = try await transport.commit(Commit(sends: Envelopes(envelopes)))
        try expectEqual(result.status, .committed, "the result of sending")
        let consumer = try await consumer(prefetch: names.count)
        for delivery in try await expectNext(names, from: consumer) {
            try await end(.reject(reason: "reason \(try name(delivery))"), delivery)
        }
        await consumer.close()
        return try await operations().deadLetters(queue: queue, offset: 0, limit: .max)
    }
}
