import Dramatiq
import TestSupport
import Testing

@testable import DramatiqMemcached

@Suite(.timeLimit(.minutes(10))) struct MemcachedBarrierTests {
    @Test(arguments: BarrierSteps.Style.allCases)
    func anArrivalIsCountedOncePerParty(style: BarrierSteps.Style) async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client, style: style)
            try await steps.create("g", 3)
            for _ in 0..<5 { #expect(try await steps.arrive("g", "a") == .committed) }
            #expect(try await steps.arrive("g", "b") == .committed)
            for _ in 0..<5 { #expect(try await steps.arrive("g", "a") == .committed) }
            #expect(try await steps.number("g") == 1)
            #expect(try await steps.arrive("g", "c") == .opened)
            // A party that comes again before the release may have to do it.
            #expect(try await steps.arrive("g", "b") == .opened)
            #expect(try await steps.release("g") == .committed)
            if style == .atMostOnce {
                #expect(try await steps.release("g") == .alreadyReleased)
                #expect(try await steps.arrive("g", "a") == .alreadyReleased)
            } else {
                #expect(try await steps.arrive("g", "a") == .opened)
            }
        }
    }

    @Test func aStepOfAChainHasOneParty() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("s", 1)
            #expect(try await steps.arrive("s", "a") == .opened)
            #expect(try await steps.arrive("s", "a") == .opened)
            #expect(try await steps.arrive("s", "a", releases: true) == .committed)
            #expect(try await steps.arrive("s", "a", releases: true) == .alreadyReleased)
        }
    }

    @Test func aStepThatIsNotCompleteKeepsWhatFollows() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("step", 2)
            let commit = { (party: String) in
                StateCommit(
                    store: steps.backend, arrival: .init(barrier: steps.key("step"), party: party, releases: true),
                    creations: [.init(barrier: steps.key("next"), parties: 4)])
            }
            #expect(try await steps.backend.apply(commit("a")) == .waiting)
            #expect(try await steps.backend.apply(commit("a")) == .waiting)
            #expect(try await steps.number("next") == nil)
            #expect(try await steps.backend.apply(commit("b")) == .committed)
            #expect(try await steps.number("next") == 4)
        }
    }

    /// Parties with any names, in one list and in many.
    @Test(arguments: [1, 2, 255, 256, 257, 1500])
    func aBarrierOpensForItsLastParty(parties: Int) async throws {
        try await withMemcachedServers(3) { servers in
            try await withMemcached(servers.map(\.address)) { client async throws in
                let steps = BarrierSteps(client)
                let names = (0..<parties).map { ["\($0)", "a \($0)", "%\($0)", "\($0)\r\n", "é\($0)"][$0 % 5] }
                try await steps.create("g", parties)
                for name in names.dropLast() { #expect(try await steps.arrive("g", name) == .committed) }
                for name in names.dropLast().prefix(20) { #expect(try await steps.arrive("g", name) == .committed) }
                #expect(try await steps.number("g") == 1)
                #expect(try await steps.arrive("g", names[parties - 1]) == .opened)
            }
        }
    }

    @Test func aPartyCanHaveNoName() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("g", 3)
            for name in ["", "", "%", "%"] { #expect(try await steps.arrive("g", name) == .committed) }
            #expect(try await steps.arrive("g", " ") == .opened)
        }
    }

    @Test func creatingABarrierAgainChangesNothing() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            for _ in 0..<3 { try await steps.create("g", 3) }
            _ = try await steps.arrive("g", "a")
            for _ in 0..<3 { try await steps.create("g", 3) }
            _ = try await steps.arrive("g", "b")
            #expect(try await steps.arrive("g", "c", releases: true) == .committed)
            for _ in 0..<3 { try await steps.create("g", 3) }
            #expect(try await steps.arrive("g", "c") == .alreadyReleased)
        }
    }

    @Test func moreThanCanBeCountedIsRefused() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            await #expect(throws: RateLimitError.self) { try await steps.create("g", 1 << 20) }
            #expect(try await steps.number("g") == nil)
            let most = (1 << 20) - 1
            try await steps.create("g", most)
            #expect(try await steps.arrive("g", "a") == .committed)
            #expect(try await steps.number("g") == most - 1)
        }
    }

    /// A server would forget the whole list over one that has no room in it.
    @Test func aNameThatIsTooLongIsRefused() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("g", 3)
            for name in [String(repeating: "x", count: 251), String(repeating: " ", count: 200)] {
                await #expect(throws: RateLimitError.self) { _ = try await steps.arrive("g", name) }
            }
            #expect(try await steps.arrive("g", String(repeating: "x", count: 250)) == .committed)
            #expect(try await steps.number("g") == 2)
        }
    }

    // MARK: Python

    /// Arrivals without names in between, at barriers that either side has made.
    @Test(arguments: BarrierSteps.Style.allCases, [true, false])
    func partiesWithoutNamesCountToo(style: BarrierSteps.Style, isPythons: Bool) async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client, style: style)
            if isPythons {
                #expect(try await client.add("g", Entry(5), Expiry(.seconds(100))))
                #expect(try await client.add("g_ran", Entry(-1), Expiry(.seconds(100))))
            } else {
                try await steps.create("g", 5)
            }
            #expect(try await steps.arriveAsPython("g") == 4)
            #expect(try await steps.arrive("g", "a") == .committed)
            #expect(try await steps.arriveAsPython("g") == 2)
            #expect(try await steps.arrive("g", "a") == .committed)
            #expect(try await steps.arrive("g", "b") == .committed)
            #expect(try await steps.number("g") == 1)
            #expect(try await steps.arrive("g", "c") == .opened)
            #expect(try await steps.release("g") == .committed)
        }
    }

    @Test func thePythonPartyCanBeTheLastOne() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("g", 3)
            #expect(try await steps.arrive("g", "a") == .committed)
            #expect(try await steps.arrive("g", "b") == .committed)
            #expect(try await steps.arriveAsPython("g") == 0)
            // Python records the release by adding to it: the first one comes to 0, the others above.
            for expected in 0..<3 {
                guard case .done(let item) = try await client.execute(.increment("g_ran")) else {
                    Issue.record("Nothing can be added")
                    return
                }
                #expect(String(decoding: item.value, as: UTF8.self) == "\(expected)")
                #expect(try await steps.arrive("g", "a") == .alreadyReleased)
                #expect(try await steps.release("g") == .alreadyReleased)
            }
        }
    }

    /// A completion id names a key of another application's, or a counter: nothing of theirs is changed.
    @Test(arguments: BarrierSteps.Style.allCases)
    func noStepChangesWhatIsNoBarrier(style: BarrierSteps.Style) async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client, style: style)
            // As pylibmc writes numbers, bytes, booleans and pickled objects, and as others may.
            let entries = [4, 0, 2, 16, 1, 8, 1 << 16].flatMap { flags in
                ["5", "1", "0", "-1", "x", "", "18446744073709551615"].map { Entry(text: $0, flags: flags) }
            }
            for (number, entry) in entries.enumerated() {
                // A counter without a record beside it is one that Python's plain barriers can't be told from.
                if style == .counting, entry.isMarkedNumber { continue }
                let key = "victim\(number)"
                _ = try await client.add(key, entry, Expiry(.seconds(5000)))
                for beside in [nil, Entry(text: "text", flags: 0), Entry(text: "1", flags: 1)] {
                    if let beside { _ = try await client.add(key + "_ran", beside, Expiry(.seconds(5000))) }
                    let before = try await client.entries([key, key + "_ran"])
                    await #expect(throws: (any Error).self) { try await steps.arrive(key, "p") }
                    await #expect(throws: (any Error).self) { try await steps.arrive(key, "p", releases: true) }
                    if style == .atMostOnce { await #expect(throws: (any Error).self) { try await steps.release(key) } }
                    _ = try? await steps.backend.apply(StateCommit(store: steps.backend, refreshes: [steps.key(key)]))
                    let after = try await client.entries([key, key + "_ran"])
                    #expect(before.map { $0?.entry } == after.map { $0?.entry }, "\(entry)")
                    #expect(before.map { $0?.token } == after.map { $0?.token }, "\(entry)")
                    #expect(after.allSatisfy { $0.map { $0.expiry.seconds ?? 0 <= 5000 } ?? true }, "\(entry)")
                }
            }
        }
    }

    /// Of a number as large as that the server looks for a minus sign also behind it, in what other items have left there.
    @Test func whatIsLeftOfOtherItemsKeepsNobodyFromReleasing() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            let names = (0..<500).map { "\($0)" + String(repeating: "x", count: 36 - "\($0)".utf8.count) }
            let dashes = Entry(text: String(repeating: "-", count: 44), flags: 0)
            _ = try await client.execute(names.map { .add($0 + "_old", dashes, Expiry(.seconds(100))) })
            _ = try await client.execute(names.map { .delete($0 + "_old") })
            for name in names { try await steps.create(name, 1) }
            for reply in try await client.execute(names.map { .increment($0 + "_ran") }) {
                guard case .done(let item) = reply else {
                    Issue.record("Nothing can be added: \(reply)")
                    return
                }
                #expect(String(decoding: item.value, as: UTF8.self) == "0")
            }
        }
    }

    @Test func theLastPartyOfAPythonBarrierNeedsNoLists() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client, style: .counting)
            _ = try await client.add("g", Entry(2), Expiry(.seconds(100)))
            #expect(try await steps.arriveAsPython("g") == 1)
            #expect(try await steps.arrive("g", "a") == .opened)
            #expect(try await steps.arrive("g", "a") == .opened)
            #expect(try await client.entry("g_arrived.1.0") == nil)
        }
    }

    // MARK: Loss

    @Test func aMissingBarrierIsAnErrorAndNeverComplete() async throws {
        try await withMemcached { client, server async throws in
            let steps = BarrierSteps(client)
            await #expect(throws: BarrierStateLost(key: "g")) { _ = try await steps.arrive("g", "a") }
            await #expect(throws: BarrierStateLost(key: "g")) { _ = try await steps.release("g") }
            try await steps.create("g", 2)
            #expect(try await steps.arrive("g", "a") == .committed)
            try await server.restart()
            try await eventually { (try? await client.verifyServers()) != nil }
            await #expect(throws: BarrierStateLost(key: "g")) { _ = try await steps.arrive("g", "b") }
        }
    }

    /// Whichever key the server forgets, and after however many arrivals: the barrier doesn't open.
    @Test(arguments: BarrierSteps.keys("g"), 0...2)
    func everyKeyThatIsForgottenIsMissed(key: String, arrivals: Int) async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("g", 3)
            for party in 0..<arrivals { #expect(try await steps.arrive("g", "\(party)") == .committed) }
            #expect(try await client.execute(.delete(key)) == .done(MetaReply.Item()))
            for party in 0..<3 {
                await #expect(throws: BarrierStateLost(key: "g")) { _ = try await steps.arrive("g", "\(party)") }
            }
        }
    }

    /// A list that was forgotten and made again, empty, is missed by what was counted.
    @Test func aListThatWasMadeAgainIsMissed() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("g", 4)
            for party in ["a", "b"] { #expect(try await steps.arrive("g", party) == .committed) }
            _ = try await client.execute(.delete("g_arrived.1.0"))
            try await steps.create("g", 4)
            #expect(try await client.entry("g_arrived.1.0") == nil)
            _ = try await client.add("g_arrived.1.0", ArrivalList().entry, Expiry(.seconds(100)))
            await #expect(throws: BarrierStateLost(key: "g")) { _ = try await steps.arrive("g", "b") }
            for party in ["a", "b", "b"] { _ = try? await steps.arrive("g", party) }
            #expect(try await steps.number("g") == 2)
        }
    }

    @Test func aBarrierThatWasEvictedIsMissed() async throws {
        try await withMemcached(megabytes: 2) { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("g", 3)
            #expect(try await steps.arrive("g", "a") == .committed)
            // More than there is room for. What was asked for meanwhile would be kept longer.
            for batch in 0..<40 {
                _ = try await client.execute(
                    (0..<1000).map { .add("other\(batch * 1000 + $0)", Entry(1), Expiry(.seconds(1000))) })
            }
            #expect(try await client.entries(BarrierSteps.keys("g")).allSatisfy { $0 == nil })
            for party in ["a", "b", "c"] {
                await #expect(throws: BarrierStateLost(key: "g")) { _ = try await steps.arrive("g", party) }
            }
        }
    }

    @Test func whatExpiresIsMissed() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client, ttl: .seconds(1))
            try await steps.create("g", 2)
            try await eventually { try await client.entry("g") == nil }
            await #expect(throws: BarrierStateLost(key: "g")) { _ = try await steps.arrive("g", "a") }
        }
    }

    // MARK: Lifetimes

    private func remaining(_ client: MemcachedClient, _ keys: [String]) async throws -> [Int] {
        try await client.entries(keys).map { $0?.expiry.seconds ?? -1 }
    }

    @Test func everyArrivalRenewsTheFullTimeToLive() async throws {
        try await withMemcached { client, _ async throws in
            try await BarrierSteps(client, ttl: .seconds(100)).create("g", 5)
            let long = BarrierSteps(client, ttl: .seconds(10_000))
            #expect(try await long.arrive("g", "a") == .committed)
            #expect(try await remaining(client, BarrierSteps.keys("g")).allSatisfy { (9_900...10_000).contains($0) })
            // Never for less than before.
            let short = BarrierSteps(client, ttl: .seconds(50))
            for party in ["a", "b"] { #expect(try await short.arrive("g", party) == .committed) }
            #expect(try await remaining(client, BarrierSteps.keys("g")).allSatisfy { (9_900...10_000).contains($0) })
        }
    }

    @Test func aRenewalKeepsAllOfABarrier() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client, ttl: .seconds(40 * 86_400))
            try await BarrierSteps(client, ttl: .seconds(100)).create("g", 5)
            let renewal = StateCommit(store: steps.backend, refreshes: [steps.key("g"), steps.key("missing")])
            #expect(try await steps.backend.apply(renewal) == .committed)
            let times = try await remaining(client, BarrierSteps.keys("g"))
            #expect(times.allSatisfy { (40 * 86_400 - 60...40 * 86_400 + 1).contains($0) })
            #expect(try await client.entry("missing") == nil)
        }
    }

    @Test func whatIsReleasedTakesLittleMemoryForAShortTime() async throws {
        try await withMemcached { client, _ async throws in
            let steps = BarrierSteps(client)
            try await steps.create("g", 2)
            _ = try await steps.arrive("g", "a")
            #expect(try await steps.arrive("g", "b", releases: true) == .committed)
            let renewal = StateCommit(store: steps.backend, refreshes: [steps.key("g")])
            #expect(try await steps.backend.apply(renewal) == .committed)
            let times = try await remaining(client, BarrierSteps.keys("g"))
            #expect(times[0] <= 900 && times[1] <= 900 && times[2] == -1)
        }
    }

    @Test func barriersTakeEveryTime() async throws {
        try await withMemcached { client, _ async throws in
            for (number, time) in [Duration.seconds(Int64.max), .seconds(Int64.min), .zero, .nanoseconds(1)]
                .enumerated()
            {
                let steps = BarrierSteps(client, ttl: time)
                try await steps.create("g\(number)", 2)
                _ = try? await steps.arrive("g\(number)", "a")
            }
        }
    }

    // MARK: Many at once

    /// Parties of several clients, some without a name: the barrier opens for one of them.
    @Test(arguments: [TestSeed(1), TestSeed(2), TestSeed(3)], [2, 40, 300])
    func aBarrierOpensForOneOfManyThatArriveAtOnce(seed: TestSeed, parties: Int) async throws {
        try await withMemcachedServers(3) { servers in
            let clients = try (0..<4).map { _ in try MemcachedClient(servers: servers.map(\.address)) }
            try await BarrierSteps(clients[0]).create("g", parties)
            var generator = seed.generator
            let opens = try await withThrowingTaskGroup(of: Bool.self) { group in
                for party in (0..<parties).shuffled(using: &generator) {
                    let steps = BarrierSteps(clients[party % 4])
                    group.addTask {
                        if party % 4 == 0 { return try await steps.arriveAsPython("g") == 0 }
                        return try await steps.arrive("g", "\(party)") == .opened
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(opens == 1, "\(seed)")
            #expect(try await BarrierSteps(clients[0]).number("g") == 0)
            for client in clients { await client.shutDown() }
        }
    }

    /// Each comes several times at once: it may open for several of them, and is released by one.
    @Test(arguments: [TestSeed(1), TestSeed(2)])
    func aBarrierIsReleasedByOneOfManyThatArriveAtOnce(seed: TestSeed) async throws {
        try await withMemcachedServers(3) { servers in
            let clients = try (0..<4).map { _ in try MemcachedClient(servers: servers.map(\.address)) }
            try await BarrierSteps(clients[0]).create("g", 60)
            var generator = seed.generator
            let arrivals = (0..<60).flatMap { Array(repeating: $0, count: 1 + $0 % 3) }.shuffled(using: &generator)
            let releases = try await withThrowingTaskGroup(of: Bool.self) { group in
                for (number, party) in arrivals.enumerated() {
                    let steps = BarrierSteps(clients[number % 4])
                    group.addTask {
                        guard try await steps.arrive("g", "\(party)") == .opened else { return false }
                        return try await steps.release("g") == .committed
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(releases == 1, "\(seed)")
            #expect(try await BarrierSteps(clients[0]).number("g") == 0)
            for client in clients { await client.shutDown() }
        }
    }
}
