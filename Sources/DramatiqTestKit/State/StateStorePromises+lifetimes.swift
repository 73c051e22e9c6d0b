import Dramatiq

extension StateStorePromises {
    /// How long barriers live, and what is told when they don't any more.
    static let lifetimes: [Promise<any StateStoreSubject>] = [
        Promise("every arrival renews the whole life of its barrier", needs: [.passingTime]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 5)
            for party in ["a", "b", "a", "c"] {
                try await subject.letPass(check.lifetime * 3 / 4)
                try await check.expectArrival(party, .committed)
            }
            try await subject.letPass(check.lifetime * 3 / 4)
            // Who came first is known for as long as the barrier.
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("d", .committed)
            try await check.expectArrival("e", .opened)
            try expectEqual(try await check.release(), .committed, "the result of the release")
        },
        Promise("a barrier whose time ran out is an error and never complete", needs: [.passingTime]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 2)
            try await check.expectArrival("a", .committed)
            try await subject.letPass(check.lifetime * 2)
            try await check.expectLost("b", "its time ran out")
            try await expectError(BarrierStateLost.self, "its time ran out") { try await check.release() }
        },
        Promise("a renewal keeps a barrier for its time", needs: [.passingTime]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 2)
            try await check.expectArrival("a", .committed)
            try expectEqual(
                try await check.renew(for: check.lifetime * 4), .committed, "the result of the renewal")
            try await subject.letPass(check.lifetime * 3)
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("b", .opened)
            try expectEqual(try await check.release(), .committed, "the result of the release")
        },
        Promise("no step shortens a barrier's life", needs: [.passingTime]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 2)
            _ = try await check.renew(for: check.lifetime * 4)
            _ = try await check.renew(for: check.lifetime)
            try await check.expectArrival("a", .committed)
            try await subject.letPass(check.lifetime * 3)
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("b", .opened)
        },
        Promise("a renewal makes no barrier that is not there") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try expectEqual(try await check.renew(for: check.lifetime), .committed, "the result of the renewal")
            try await check.expectLost("a", "a renewal is no creation")
        },
        Promise("what the place lost is an error and never complete", needs: [.forgetting]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 2)
            try await check.expectArrival("a", .committed)
            try await subject.forget()
            try await check.expectLost("b", "the place lost it")
            try await check.expectLost("a", "the place lost it")
        },
        Promise("after a restart a barrier is as it was or an error, never complete", needs: [.restarts]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 3)
            try await check.expectArrival("a", .committed)
            try await subject.restart()
            for (party, expected) in [("a", StateCommit.Result.committed), ("b", .committed), ("c", .opened)] {
                do {
                    let result = try await repeating(within: subject.patience) { try await check.arrive(party) }
                    try expectEqual(result, expected, "the result of the arrival of \(party)")
                } catch is BarrierStateLost {
                    continue
                }
            }
        },
        Promise("a connection that ends loses no barrier", needs: [.cuts]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 3)
            for (party, expected) in [("a", StateCommit.Result.committed), ("b", .committed), ("c", .opened)] {
                try await subject.cut()
                let result = try await repeating(within: subject.patience) { try await check.arrive(party) }
                try expectEqual(result, expected, "the result of the arrival of \(party)")
            }
        },
    ]
}

/// Takes a step, again while an outage lasts, as the core does.
@discardableResult
func repeating<Value: Sendable>(
    within patience: Duration,
    _ step: () async throws -> Value
) async throws -> Value {
    let deadline = ContinuousClock.now + patience
    while true {
        do {
            return try await step()
        } catch let error as any TransientError where error.isTransient {
            guard ContinuousClock.now < deadline else { throw error }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
