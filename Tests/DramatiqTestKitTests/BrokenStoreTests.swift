import Dramatiq
import DramatiqTestKit
import TestSupport
import Testing

/// Stores that are wrong in one way are caught by the promise that is about it.
@Suite(.timeLimit(.minutes(10))) struct BrokenStoreTests {
    private func expectBroken(
        _ name: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ tamper: @escaping @Sendable (InMemoryRateLimiterBackend, StateCommit) async throws -> StateCommit.Result
    ) async throws {
        let subject = InMemoryStateSubject(
            claims: InMemoryStateSubject.storeClaims, storing: { TamperedStore(base: $0, tamper: tamper) })
        _ = try await DramatiqTestKitTests.expectBroken(
            name, of: StateStorePromises.all, on: subject, sourceLocation: sourceLocation)
    }

    /// Steps as one that forgets something takes them.
    private func change(
        _ change: @escaping @Sendable (inout StateCommit) -> Void
    ) -> @Sendable (InMemoryRateLimiterBackend, StateCommit) async throws -> StateCommit.Result {
        { base, steps in
            var steps = steps
            change(&steps)
            return try await base.apply(steps)
        }
    }

    @Test func oneThatCountsEveryArrival() async throws {
        let names = Recorder<Int>()
        let counts = change { $0.arrival?.party += " \(names.add(0))" }
        try await expectBroken("an arrival is counted once per party", counts)
        try await expectBroken("an arrival whose answer is lost is counted once", counts)
        try await expectBroken("parties that come at the same time are all counted, each once", counts)
    }

    @Test func oneThatOpensEarly() async throws {
        try await expectBroken("a barrier opens for its last party and for no earlier one") { base, steps in
            var steps = steps
            for index in steps.creations.indices {
                steps.creations[index].parties = max(1, steps.creations[index].parties - 1)
            }
            return try await base.apply(steps)
        }
    }

    @Test func oneThatTakesAMissingBarrierForComplete() async throws {
        for name in [
            "a barrier that is not there is an error and never complete",
            "a barrier whose time ran out is an error and never complete",
            "what the place lost is an error and never complete",
        ] {
            try await expectBroken(name) { base, steps in
                do {
                    return try await base.apply(steps)
                } catch is BarrierStateLost {
                    return .opened
                }
            }
        }
    }

    @Test func oneWhoseArrivalsRenewNothing() async throws {
        try await expectBroken(
            "every arrival renews the whole life of its barrier",
            change { steps in
                guard let arrival = steps.arrival else { return }
                steps.arrival?.barrier = BarrierKey(
                    key: arrival.barrier.key, releaseKey: arrival.barrier.releaseKey, ttl: .zero)
            })
    }

    @Test func oneThatKeepsEverything() async throws {
        try await expectBroken(
            "a barrier whose time ran out is an error and never complete",
            change { steps in
                steps.creations = steps.creations.map { creation in
                    let barrier = BarrierKey(
                        key: creation.barrier.key, releaseKey: creation.barrier.releaseKey, ttl: .seconds(1_000_000))
                    return .init(barrier: barrier, parties: creation.parties)
                }
            })
    }

    @Test func oneThatForgetsRenewals() async throws {
        let forgets = change { $0.refreshes = [] }
        try await expectBroken("a renewal keeps a barrier for its time", forgets)
        try await expectBroken("no step shortens a barrier's life", forgets)
    }

    @Test func oneThatReleasesTwice() async throws {
        let releases: @Sendable (InMemoryRateLimiterBackend, StateCommit) async throws -> StateCommit.Result = {
            let result = try await $0.apply($1)
            return result == .alreadyReleased ? .committed : result
        }
        try await expectBroken("a barrier is released once", releases)
        try await expectBroken("parties that come at the same time are all counted, each once", releases)
    }

    @Test func oneThatMakesABarrierAnew() async throws {
        try await expectBroken("a creation that is repeated changes nothing") { base, steps in
            for creation in steps.creations {
                base.remove(creation.barrier.key)
            }
            return try await base.apply(steps)
        }
    }

    @Test func oneThatTakesStepsOneByOne() async throws {
        let takes: @Sendable (InMemoryRateLimiterBackend, StateCommit) async throws -> StateCommit.Result = {
            for creation in $1.creations { _ = try await $0.apply(StateCommit(store: $0, creations: [creation])) }
            var rest = $1
            rest.creations = []
            return try await $0.apply(rest)
        }
        for name in [
            "steps hold together or not at all", "a step that is not complete keeps what follows",
            "an arrival that opens a barrier does nothing else",
        ] {
            try await expectBroken(name, takes)
        }
    }

    @Test func oneThatClaimsTooMuch() async throws {
        let subject = InMemoryStateSubject(
            claims: InMemoryStateSubject.storeClaims, storing: { StoreApart($0, atomicity: .key) })
        _ = try await DramatiqTestKitTests.expectBroken(
            "its own keys can be used and its atomicity is what it claims", of: StateStorePromises.all, on: subject)
    }

    // MARK: Counters

    /// Counters that are wrong in one way.
    private struct TamperedCounters: NotifyingBackend {
        let base: InMemoryRateLimiterBackend
        var changeMaximum: @Sendable (Int) -> Int = { $0 }
        var changeTTL: @Sendable (Duration) -> Duration = { $0 }
        var overwrites = false

        func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool {
            if overwrites { base.remove(key) }
            return try await base.add(key, value: value, ttl: ttl)
        }
        func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool {
            try await base.incr(key, amount: amount, maximum: changeMaximum(maximum), ttl: changeTTL(ttl))
        }
        func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool {
            try await base.decr(key, amount: amount, minimum: minimum, ttl: ttl)
        }
        nonisolated(nonsending) func incrAndSum(
            _ key: String, keys: @Sendable () -> [String], amount: Int, maximum: Int, ttl: Duration
        ) async throws -> Bool {
            try await base.incrAndSum(key, keys: keys, amount: amount, maximum: changeMaximum(maximum), ttl: ttl)
        }
        func wait(_ key: String, timeout: Duration) async throws -> Bool { true }
        func notify(_ key: String, ttl: Duration) async throws {}
    }

    @Test func countersThatAreWrong() async throws {
        func expectBroken(
            _ name: String, sourceLocation: SourceLocation = #_sourceLocation,
            _ change: @escaping @Sendable (inout TamperedCounters) -> Void
        ) async throws {
            let subject = InMemoryStateSubject(
                claims: InMemoryStateSubject.counterClaims,
                counting: { base in
                    var counters = TamperedCounters(base: base)
                    change(&counters)
                    return counters
                })
            _ = try await DramatiqTestKitTests.expectBroken(
                name, of: CounterPromises.all, on: subject, sourceLocation: sourceLocation)
        }
        try await expectBroken("a key is added once") { $0.overwrites = true }
        for name in [
            "a counter keeps to its bounds, and what is refused changes nothing",
            "counters are atomic, whichever client counts", "a sum of counters keeps to its bound",
        ] {
            try await expectBroken(name) { $0.changeMaximum = { $0 + 1 } }
        }
        try await expectBroken("a window lets so many through over its length") { $0.changeMaximum = { $0 - 1 } }
        try await expectBroken("a counter lives for its time after each change, and no longer") {
            $0.changeTTL = { $0 / 8 }
        }
        try await expectBroken("waiting ends when its time is over") { _ in }
    }
}
