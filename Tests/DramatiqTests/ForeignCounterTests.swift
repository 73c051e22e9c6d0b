import Dramatiq
import Testing

/// Completion ids that name something else than a barrier: nothing is changed.
@Suite struct ForeignCounterTests {
    @Test(arguments: [5, 1, 0, -1, Int.max, Int.min], [true, false])
    func noStepChangesWhatIsNoBarrier(value: Int, hasRecord: Bool) async throws {
        let backend = InMemoryRateLimiterBackend()
        _ = try await backend.add("victim", value: value, ttl: .seconds(10))
        // What has the record of a release beside it is a barrier if it is a count.
        if hasRecord, value < 1 { _ = try await backend.add("victim_ran", value: -1, ttl: .seconds(10)) }
        let barrier = BarrierKey(key: "victim", releaseKey: "victim_ran", ttl: .seconds(1000))
        for releases in [true, false] {
            await #expect(throws: BarrierStateLost.self) {
                try await backend.apply(
                    StateCommit(store: backend, arrival: .init(barrier: barrier, party: "p", releases: releases)))
            }
        }
        await #expect(throws: BarrierStateLost.self) {
            try await backend.apply(StateCommit(store: backend, releases: [barrier]))
        }
        _ = try await backend.apply(StateCommit(store: backend, refreshes: [barrier]))
        #expect(backend.value(forKey: "victim") == value)
        #expect(try #require(backend.ttl(forKey: "victim")) <= .seconds(10))
        #expect(backend.keyCount == (hasRecord && value < 1 ? 2 : 1))
    }

    /// A barrier of dramatiq's plain kind has no record: it is a count from 1 up.
    @Test(arguments: [0, -1, Int.min]) func noPlainBarrierIsLessThanOne(value: Int) async throws {
        let backend = InMemoryRateLimiterBackend()
        _ = try await backend.add("victim", value: value, ttl: .seconds(10))
        await #expect(throws: BarrierStateLost.self) {
            try await backend.apply(
                StateCommit(
                    store: backend,
                    arrival: .init(
                        barrier: BarrierKey(key: "victim", ttl: .seconds(10)), party: "p", releases: false)))
        }
        #expect(backend.value(forKey: "victim") == value)
    }
}
