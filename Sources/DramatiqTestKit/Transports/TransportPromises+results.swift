import Dramatiq

extension TransportPromises {
    /// Commits with results in them.
    static let results: [Promise<any TransportSubject>] = [
        Promise("the backend of results is in the same place", needs: [.results]) { subject in
            let check = try await ResultCheck(subject)
            try expect(check.base.transport.includes(check.backend), "the transport to include the backend")
        },
        Promise("a result is kept with the end of its message, in place of an earlier one", needs: [.results]) {
            subject in
            let check = try await ResultCheck(subject)
            let names = ["acknowledged", "with others", "rejected", "released"]
            let (deliveries, consumer) = try await check.take(names)
            let key = check.key("waited for")
            async let waited = check.backend.result(for: key, timeout: subject.patience)
            try await check.commit(.acknowledge, deliveries[0], [1], for: key)
            try expectEqual(try await waited, [1], "the result that was waited for")
            try await check.backend.store([0], for: check.key(names[1]), ttl: subject.lifetime)
            try await check.commit(.acknowledge, deliveries[1], [2], sends: ["sent"])
            try await check.expect(names[1], [2])
            try await check.commit(.reject(reason: "It broke"), deliveries[2], [3])
            try await check.expect(names[2], [3])
            try await check.commit(.acknowledge, deliveries[3], [4], successors: ["follows"])
            try await check.expect(names[3], [4])
            await consumer.close()
            try await check.base.expectQueue(["sent", "follows"])
        },
        Promise("of a delivery that is not held no result is kept", needs: [.results]) { subject in
            let check = try await ResultCheck(subject)
            let (deliveries, consumer) = try await check.take(["a"])
            try await check.commit(.acknowledge, deliveries[0], [1])
            for (outcome, sends) in [
                (.acknowledge, []), (.acknowledge, ["sent"]), (.reject(reason: "It broke"), []),
            ] as [(Commit.Outcome, [String])] {
                var commit = check.base.commit(outcome, deliveries[0], sends: sends)
                commit.result = check.result([2], for: check.key("a"))
                try await check.base.expectNotHeld(commit, "the delivery has ended")
                try await check.expect("a", [1])
            }
            await consumer.close()
            try await check.base.expectQueue([])
        },
        Promise(
            "an arrival that opens a barrier keeps no result before the commit that ends its message",
            needs: [.results, .barriers]
        ) { subject in
            let (base, barrier, deliveries, consumer) = try await atBarrier(subject, parties: 2, messages: 2)
            let check = try await ResultCheck(base)
            func arrival(_ party: Int, releases: Bool) throws -> (Commit, String) {
                var commit = base.commit(
                    .acknowledge, deliveries[party], state: barrier.arrival("\(party)", releases: releases))
                let name = try base.name(deliveries[party])
                commit.result = check.result([UInt8(party)], for: check.key(name))
                return (commit, name)
            }
            let (waiting, first) = try arrival(0, releases: false)
            try expectEqual(try await base.transport.commit(waiting).status, .committed, "the first arrival")
            try await check.expect(first, [0])
            var (opening, last) = try arrival(1, releases: false)
            try expectEqual(try await base.transport.commit(opening).status, .opened, "the last arrival")
            try await check.expect(last, nil)
            opening = base.commit(
                .acknowledge, deliveries[1], state: StateCommit(store: barrier.store, releases: [barrier.barrier]))
            opening.result = check.result([1], for: check.key(last))
            try expectEqual(try await base.transport.commit(opening).status, .committed, "the release")
            try await check.expect(last, [1])
            await consumer.close()
        },
        Promise("the results of commits that go together are kept each", needs: [.results, .barriers]) { subject in
            let base = try await TransportCheck(subject)
            let count = min(60, base.transport.traits.maxBatch)
            let (_, barrier, deliveries, consumer) = try await atBarrier(
                subject, base, parties: count + 1, messages: count)
            let check = try await ResultCheck(base)
            let sizes = [1, 1000, 0, 100_000, 1024, 1025]
            let size = { (index: Int) in index % 7 == 6 ? nil : sizes[index % 7] }
            let commits = deliveries.enumerated().map { index, delivery in
                let state = index.isMultiple(of: 2) ? barrier.arrival("\(index)", releases: false) : nil
                var commit = base.commit(.acknowledge, delivery, state: state)
                commit.result = size(index).map {
                    check.result([UInt8](repeating: UInt8(index), count: $0), for: check.key("\(index)"))
                }
                return commit
            }
            for result in await base.transport.commit(commits) {
                try expectEqual(try result.get().status, .committed, "the result of a commit")
            }
            for index in deliveries.indices {
                let found = try await check.backend.result(for: check.key("\(index)"), timeout: .zero)
                try expect(
                    found == size(index).map { [UInt8](repeating: UInt8(index), count: $0) },
                    "result \(index) of \(size(index).map { "\($0)" } ?? "no") bytes", saw: "\(found?.count ?? -1)")
            }
            await consumer.close()
            try await base.expectQueue([])
        },
        Promise("of a message that ends twice in commits that go together there is the last result", needs: [.results])
        {
            subject in
            let check = try await ResultCheck(subject)
            let count = min(10, check.base.transport.traits.maxBatch)
            let (deliveries, consumer) = try await check.take((0..<count).map { "\($0)" })
            let commits = deliveries.enumerated().map { index, delivery in
                var commit = check.base.commit(.acknowledge, delivery)
                commit.result = check.result([UInt8(index)], for: check.key("same"))
                return commit
            }
            for result in await check.base.transport.commit(commits) { _ = try result.get() }
            try await check.expect("same", [UInt8(count - 1)])
            // Nothing of the others is beneath it.
            try await check.backend.store([100], for: check.key("same"), ttl: subject.lifetime)
            try await check.expect("same", [100])
            await consumer.close()
        },
        Promise("a result is kept for its time from the end of its message on", needs: [.results, .passingTime]) {
            subject in
            let check = try await ResultCheck(subject)
            let (deliveries, consumer) = try await check.take(["a", "b"])
            try await check.commit(.acknowledge, deliveries[0], [1])
            try await check.commit(.acknowledge, deliveries[1], [2], sends: ["sent"], ttl: subject.lifetime * 4)
            try await subject.letPass(subject.lifetime * 2)
            try await check.expect("a", nil)
            try await check.expect("b", [2])
            await consumer.close()
        },
        Promise("a commit with a result can be repeated after a lost answer", needs: [.results, .lostAnswers]) {
            subject in
            let check = try await ResultCheck(subject)
            let (deliveries, consumer) = try await check.take(["a", "b"])
            for (delivery, sends) in [(deliveries[0], []), (deliveries[1], ["sent"])] as [(Delivery, [String])] {
                var commit = check.base.commit(.acknowledge, delivery, sends: sends)
                let key = check.key(try check.base.name(delivery))
                commit.result = check.result([1], for: key)
                try expectEqual(
                    try await check.base.commitTwice(commit).status, .committed, "the result of repeating it")
                try expectEqual(try await check.backend.result(for: key, timeout: .zero), [1], "the message's result")
            }
            await consumer.close()
            try await check.base.expectQueue(["sent"])
        },
    ]
}

/// A transport and a queue with results beside it.
private struct ResultCheck: Sendable {
    let base: TransportCheck
    let backend: any ResultBackend
    private let id = UniqueID.make()

    init(_ subject: any TransportSubject) async throws {
        try await self.init(try await TransportCheck(subject))
    }

    init(_ base: TransportCheck) async throws {
        self.base = base
        backend = try await base.subject.makeResults(beside: base.transport)
    }

    func key(_ name: String) -> ResultKey {
        ResultKey(queueName: base.queue, actorName: "promised", messageID: "\(id) \(name)")
    }

    func result(_ bytes: [UInt8], for key: ResultKey, ttl: Duration? = nil) -> ResultCommit {
        ResultCommit(backend: backend, key: key, bytes: bytes, ttl: ttl ?? base.subject.lifetime)
    }

    /// Sends messages and takes them.
    func take(_ names: [String]) async throws -> ([Delivery], any TransportConsumer) {
        try await base.send(names)
        let consumer = try await base.consumer()
        return (try await base.expectNext(names, from: consumer), consumer)
    }

    /// Ends a delivery with a result.
    ///
    /// - Parameter key: defaults to that of the message's name.
    func commit(
        _ outcome: Commit.Outcome,
        _ delivery: Delivery,
        _ bytes: [UInt8],
        for key: ResultKey? = nil,
        sends: [String] = [],
        successors: [String] = [],
        ttl: Duration? = nil
    ) async throws {
        var commit = base.commit(outcome, delivery, sends: sends, successors: successors)
        commit.result = result(bytes, for: try key ?? self.key(base.name(delivery)), ttl: ttl)
        try expectEqual(try await base.transport.commit(commit).status, .committed, "the result of the commit")
    }

    func expect(_ name: String, _ bytes: [UInt8]?, file: String = #fileID, line: Int = #line) async throws {
        let found = try await backend.result(for: key(name), timeout: .zero)
        try expectEqual(found, bytes, "the result of \(name)", file: file, line: line)
    }
}
