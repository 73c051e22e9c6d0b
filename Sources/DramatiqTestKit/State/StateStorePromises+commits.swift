import Dramatiq

extension StateStorePromises {
    /// Several steps in one, for stores that can do that.
    static let wholeSteps: [Promise<any StateStoreSubject>] = [
        Promise("steps hold together or not at all", needs: [.atomicSteps]) { subject in
            let store = try await subject.makeStore()
            let (step, next) = (BarrierCheck(store, subject), BarrierCheck(store, subject))
            let missing = BarrierCheck(store, subject)
            try await step.create(parties: 1)
            var steps = StateCommit(
                store: store,
                arrival: .init(barrier: step.barrier, party: "a", releases: true),
                releases: [missing.barrier],
                creations: [.init(barrier: next.barrier, parties: 1)])
            let lost = try await expectError(BarrierStateLost.self, "one of the barriers is not there") {
                try await store.apply(steps)
            }
            try expectEqual(lost.key, missing.barrier.key, "the key in the error")
            try await next.expectLost("x", "nothing of the steps was done")
            try await step.expectArrival("a", .opened)
            steps.releases = []
            try expectEqual(try await store.apply(steps), .committed, "the result of steps that can be taken")
            try await step.expectArrival("b", .alreadyReleased)
            try await next.expectArrival("x", .opened)
        },
        Promise("a step that is not complete keeps what follows", needs: [.atomicSteps]) { subject in
            let store = try await subject.makeStore()
            let (step, next) = (BarrierCheck(store, subject), BarrierCheck(store, subject))
            try await step.create(parties: 2)
            func arrive(_ party: String) async throws -> StateCommit.Result {
                try await store.apply(
                    StateCommit(
                        store: store,
                        arrival: .init(barrier: step.barrier, party: party, releases: true),
                        creations: [.init(barrier: next.barrier, parties: 1)]))
            }
            for _ in 0..<3 { try expectEqual(try await arrive("a"), .waiting, "the result of the first party") }
            try await next.expectLost("x", "the step is not complete")
            try expectEqual(try await arrive("b"), .committed, "the result of the last party")
            try await next.expectArrival("x", .opened)
            try expectEqual(try await arrive("c"), .alreadyReleased, "the result of a party that comes after all")
        },
        Promise("an arrival that opens a barrier does nothing else", needs: [.atomicSteps]) { subject in
            let store = try await subject.makeStore()
            let (group, next) = (BarrierCheck(store, subject), BarrierCheck(store, subject))
            try await group.create(parties: 1)
            let steps = StateCommit(
                store: store,
                arrival: .init(barrier: group.barrier, party: "a", releases: false),
                creations: [.init(barrier: next.barrier, parties: 1)])
            try expectEqual(try await store.apply(steps), .opened, "the result of the last party")
            try await next.expectLost("x", "the barrier is not released yet")
        },
        Promise("a party that is followed by others adds them once, and is never the last one", needs: [.atomicSteps]) {
            subject in
            let store = try await subject.makeStore()
            for parties in 1...3 {
                let (group, next) = (BarrierCheck(store, subject), BarrierCheck(store, subject))
                try await group.create(parties: parties)
                func arrive(_ party: String, adding added: Int) async throws -> StateCommit.Result {
                    try await store.apply(
                        StateCommit(
                            store: store,
                            arrival: .init(barrier: group.barrier, party: party, releases: false, added: added),
                            creations: [.init(barrier: next.barrier, parties: 1)]))
                }
                try expectEqual(try await arrive("a", adding: 3), .committed, "the result of the first time")
                for added in [3, 1] {
                    try expectEqual(
                        try await arrive("a", adding: added), .alreadyReleased, "the result of another time")
                }
                try await group.expectArrival("a", .committed)
                for party in 1..<parties { try await group.expectArrival("other \(party)", .committed) }
                try await group.expectArrival("first", .committed)
                try expectEqual(try await arrive("second", adding: 1), .committed, "the result of one that adds one")
                for party in ["a", "first", "second", "third"] { try await group.expectArrival(party, .committed) }
                try expectEqual(
                    try await arrive("third", adding: 1), .alreadyReleased, "the result of one that has come")
                try await group.expectArrival("last", .opened)
                try expectEqual(try await arrive("late", adding: 1), .alreadyReleased, "the result once it is complete")
                try expectEqual(try await group.release(), .committed, "the result of the release")
                try expectEqual(try await arrive("later", adding: 1), .alreadyReleased, "the result after the release")
                try await next.expectArrival("x", .opened)
            }
        },
    ]

    /// What goes wrong on the way.
    static let faults: [Promise<any StateStoreSubject>] = [
        Promise("an arrival whose answer is lost is counted once", needs: [.lostAnswers]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 3)
            for party in ["a", "b"] {
                try await losing(subject) { try await check.arrive(party) }
                try await check.expectArrival(party, .committed)
            }
            try await losing(subject) { try await check.arrive("c") }
            try await check.expectArrival("c", .opened)
        },
        Promise("a release whose answer is lost can be repeated", needs: [.lostAnswers]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await check.create(parties: 1)
            try await check.expectArrival("a", .opened)
            try await losing(subject) { try await check.release() }
            let result = try await check.release()
            try expect(
                result == .committed || result == .alreadyReleased, "a release that is recognised", saw: "\(result)")
            try await check.expectArrival("b", .alreadyReleased)
        },
        Promise("a creation whose answer is lost can be repeated", needs: [.lostAnswers]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            try await losing(subject) { try await check.create(parties: 2) }
            try await check.expectArrival("a", .committed)
            try await check.create(parties: 2)
            try await check.expectArrival("b", .opened)
        },
        Promise("a step that is refused changes nothing", needs: [.refusedSteps]) { subject in
            let check = BarrierCheck(try await subject.makeStore(), subject)
            subject.faults.inject(.refuse)
            try await expectError("the step is refused") { try await check.create(parties: 2) }
            try await check.expectLost("a", "its creation was refused")
            try await check.create(parties: 2)
            subject.faults.inject(.refuse)
            try await expectError("the step is refused") { try await check.arrive("a") }
            try await check.expectArrival("b", .committed)
            try await check.expectArrival("a", .opened)
            subject.faults.inject(.refuse)
            try await expectError("the step is refused") { try await check.release() }
            try expectEqual(try await check.release(), .committed, "the result of the first release")
        },
    ]

    /// Takes a step whose answer is lost.
    private static func losing(
        _ subject: any ConformanceSubject,
        _ step: () async throws -> some Any
    ) async throws {
        subject.faults.inject(.loseAnswer)
        try await expectError("the answer is lost", step)
    }
}
