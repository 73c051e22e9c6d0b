import Dramatiq

/// What a `StateStore` promises: a barrier opens for its last party, whoever comes how often, and is never complete because
/// something was lost.
public enum StateStorePromises {
    public static var all: [Promise<any StateStoreSubject>] { arrivals + lifetimes + wholeSteps + faults }

    static let arrivals: [Promise<any StateStoreSubject>] = [
        Promise("an arrival is counted once per party") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 3)
            for _ in 0..<5 { try await check.expectArrival("a", .committed) }
            try await check.expectArrival("b", .committed)
            for _ in 0..<5 { try await check.expectArrival("a", .committed) }
            try await check.expectArrival("c", .opened)
        },
        Promise("a barrier opens for its last party and for no earlier one") { subject in
            let store = try await subject.makeStore()
            for parties in [1, 2, 3, 17] {
                let check = BarrierCheck(store, subject)
                try await check.create(parties: parties)
                for party in 1..<parties { try await check.expectArrival("\(party)", .committed) }
                try await check.expectArrival("last", .opened)
            }
        },
        Promise("a party that comes again before the release learns that the barrier is complete") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 2)
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("b", .opened)
            try await check.expectArrival("b", .opened)
            try await check.expectArrival("a", .opened)
        },
        Promise("a barrier is released once") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 2)
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("b", .opened)
            try expectEqual(try await check.release(), .committed, "the result of the release")
            try expectEqual(try await check.release(), .alreadyReleased, "the result of another release")
            try await check.expectArrival("a", .alreadyReleased)
            try await check.expectArrival("c", .alreadyReleased)
        },
        Promise("a barrier that only counts opens for its last party, too") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject, recordsRelease: false)
            try await check.create(parties: 3)
            for party in ["a", "a", "b", "b"] { try await check.expectArrival(party, .committed) }
            try await check.expectArrival("c", .opened)
            try expectEqual(try await check.release(), .committed, "the result of the release")
        },
        Promise("a creation that is repeated changes nothing") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 3)
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("b", .committed)
            try await check.create(parties: 3)
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("c", .opened)
            try expectEqual(try await check.release(), .committed, "the result of the release")
            try await check.create(parties: 3)
            try await check.expectArrival("a", .alreadyReleased)
        },
        Promise("a barrier that is not there is an error and never complete") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.expectLost("a", "nobody made the barrier")
            try await expectError(BarrierStateLost.self, "nobody made the barrier") { try await check.release() }
            try await check.expectLost("a", "neither an arrival nor a release makes a barrier")
        },
        Promise("barriers don't touch each other") { subject in
            let store = try await subject.makeStore()
            let (one, other) = (BarrierCheck(store, subject), BarrierCheck(store, subject))
            try await one.create(parties: 2)
            try await other.create(parties: 2)
            try await one.expectArrival("a", .committed)
            try await other.expectArrival("a", .committed)
            try await one.expectArrival("b", .opened)
            _ = try await one.release()
            try await other.expectArrival("a", .committed)
            try await other.expectArrival("b", .opened)
        },
        Promise("all clients of a place see the same barriers") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            let other = check.through(try await subject.makeStore())
            try await check.create(parties: 3)
            try await other.expectArrival("a", .committed)
            try await check.expectArrival("a", .committed)
            try await check.expectArrival("b", .committed)
            try await other.expectArrival("c", .opened)
            try expectEqual(try await check.release(), .committed, "the result of the release")
            try expectEqual(try await other.release(), .alreadyReleased, "the result of another client's release")
        },
        Promise("parties that come at the same time are all counted, each once") { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            let clients = [check, check.through(try await subject.makeStore())]
            let parties = 40
            try await check.create(parties: parties)
            let early = try await withThrowingTaskGroup(of: StateCommit.Result.self) { group in
                for arrival in 0..<(parties - 1) * 3 {
                    group.addTask { try await clients[arrival % 2].arrive("\(arrival % (parties - 1))") }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            try expectEqual(early, [.committed], "what all but one party were told")
            try await check.expectArrival("last", .opened)
            let releases = try await withThrowingTaskGroup(of: StateCommit.Result.self) { group in
                for release in 0..<10 { group.addTask { try await clients[release % 2].release() } }
                return try await group.reduce(into: [StateCommit.Result]()) { $0.append($1) }
            }
            try expectEqual(
                releases.filter { $0 == .committed }.count, 1, "the number of releases that were the first")
        },
        Promise("its own keys can be used and its atomicity is what it claims") { subject in
            let store = try await subject.makeStore()
            try await store.verifyAccess(barrierKeyPrefix: store.barrierKeyPrefix)
            try expectEqual(
                store.atomicity.claims, subject.claims.intersection([.atomicSteps]), "the claims of its atomicity")
            try expectEqual(store.identity, store.identity, "its identity when asked again")
        },
    ]
}
