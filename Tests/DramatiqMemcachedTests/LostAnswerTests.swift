import Dramatiq
import Synchronization
import TestSupport
import Testing

@testable import DramatiqMemcached

/// Connections that are cut before or after a server has done what it was told, wherever in a step that is: the step is
/// repeated until it works, and everything is counted once.
@Suite(.timeLimit(.minutes(10))) struct LostAnswerTests {
    private func withCuts(
        _ body: (BarrierSteps, CuttingProxy, MemcachedClient) async throws -> Void
    ) async throws {
        try await withMemcached { direct, server async throws in
            let proxy = try await CuttingProxy(to: server.port)
            try await withMemcached([proxy.address]) {
                $0.minBackoff = .milliseconds(1)
                $0.maxBackoff = .milliseconds(1)
            } _: { client async throws in
                try await body(BarrierSteps(client), proxy, direct)
            }
        }
    }

    /// Cuts at the nth command of every step.
    @Test(arguments: CuttingProxy.Cut.allCases, 1...7)
    func everyCommandOfAStepCanBeLost(cut: CuttingProxy.Cut, number: Int) async throws {
        try await withCuts { steps, proxy, direct in
            func cutting<Value>(_ step: () async throws -> Value) async throws -> Value {
                let count = Mutex(0)
                proxy.set {
                    count.withLock {
                        $0 += 1; return $0 == number ? cut : nil
                    }
                }
                defer { proxy.set { nil } }
                return try await insisting(step)
            }
            try await cutting { try await steps.create("g", 4) }
            for party in ["a", "b", "c", "a"] {
                #expect(try await cutting { try await steps.arrive("g", party) } == .committed)
            }
            #expect(try await direct.entry("g")?.entry.number("g") == 1)
            #expect(try await cutting { try await steps.arrive("g", "d") } == .opened)
            #expect(try await cutting { try await steps.arrive("g", "d") } == .opened)
            let release = try await cutting { try await steps.release("g") }
            #expect(release == .committed || cut == .after)
            #expect(try await insisting { try await steps.arrive("g", "a") } == .alreadyReleased)
        }
    }

    /// The keys of a barrier lie on two servers. One does its part while the other can't be reached: making the barrier
    /// again makes what is missing.
    @Test(arguments: CuttingProxy.Cut.allCases, [0, 1])
    func aBarrierMadeInPartIsMadeWhole(cut: CuttingProxy.Cut, place: Int) async throws {
        try await withMemcachedServers(2) { servers in
            let proxy = try await CuttingProxy(to: servers[place].port)
            var addresses = servers.map(\.address)
            addresses[place] = proxy.address
            try await withMemcached(addresses) {
                $0.minBackoff = .milliseconds(1)
                $0.maxBackoff = .milliseconds(1)
            } _: { client async throws in
                let steps = BarrierSteps(client)
                for number in 0..<30 {
                    let name = "g\(number)"
                    let isCut = Mutex(false)
                    proxy.set {
                        isCut.withLock { isCut in
                            defer { isCut = true }
                            return isCut ? nil : cut
                        }
                    }
                    try await insisting { try await steps.create(name, 2) }
                    proxy.set { nil }
                    #expect(try await insisting { try await steps.arrive(name, "a") } == .committed)
                    #expect(try await steps.arrive(name, "b") == .opened)
                }
            }
        }
    }

    /// Many parties at once, over connections that are cut again and again.
    @Test(arguments: TestSeed.first(4))
    func manyArriveWhileConnectionsAreCut(seed: TestSeed) async throws {
        try await withCuts { steps, proxy, direct in
            let generator = Mutex(seed.generator)
            let parties = 60
            try await steps.create("g", parties)
            proxy.set {
                generator.withLock { generator in
                    guard Int.random(in: 0..<20, using: &generator) == 0 else { return nil }
                    return Bool.random(using: &generator) ? .before : .after
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for party in 0..<parties - 1 {
                    for _ in 0..<2 {
                        group.addTask {
                            let result = try await insisting { try await steps.arrive("g", "\(party)") }
                            #expect(result == .committed, "\(seed)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(proxy.cuts > 0)
            #expect(try await direct.entry("g")?.entry.number("g") == 1, "\(seed)")
            #expect(try await insisting { try await steps.arrive("g", "last") } == .opened, "\(seed)")
        }
    }
}
