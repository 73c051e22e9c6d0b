import Dramatiq
import Synchronization

extension CounterPromises {
    /// Counts what runs at the same time.
    private final class Load: Sendable {
        private let state = Mutex((running: 0, most: 0))
        var most: Int { state.withLock(\.most) }
        func begin() { state.withLock { $0 = ($0.running + 1, max($0.most, $0.running + 1)) } }
        func end() { state.withLock { $0.running -= 1 } }
    }

    private struct Failure: Error {}

    /// The limiters over a backend.
    static let limits: [Promise<any CounterSubject>] = [
        Promise("at most so many run at the same time, and places are given back") { subject in
            let backends = [try await subject.makeBackend(), try await subject.makeBackend()]
            let key = key()
            let limiters = try backends.map {
                try ConcurrentRateLimiter(backend: $0, key: key, limit: 2, ttl: subject.lifetime)
            }
            let load = Load()
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        try? await limiters[number % 2].acquire {
                            load.begin()
                            await Task.yield()
                            load.end()
                        }
                    }
                }
            }
            try expect((1...2).contains(load.most), "1 or 2 at the same time", saw: "\(load.most)")
            try await expectError(Failure.self, "the operation fails") {
                try await limiters[0].acquire { throw Failure() }
            }
            try await expectFree(2, limiters[1])
        },
        Promise("a place is given back when its task is cancelled") { subject in
            let limiter = try ConcurrentRateLimiter(
                backend: try await subject.makeBackend(), key: key(), limit: 3, ttl: subject.lifetime)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask { try? await limiter.acquire { try await Task.sleep(for: .seconds(600)) } }
                }
                await Task.yield()
                group.cancelAll()
            }
            try await expectFree(3, limiter)
        },
        Promise("a place that was not given back is free after its time", needs: [.passingTime]) { subject in
            let limiter = try ConcurrentRateLimiter(
                backend: try await subject.makeBackend(), key: key(), limit: 2, ttl: subject.lifetime)
            try await expectFree(2, limiter)
            try await subject.letPass(subject.lifetime * 2)
            try await expectFree(2, limiter)
        },
        Promise("a bucket lets so many through in each interval") { subject in
            let limiter = try BucketRateLimiter(
                backend: try await subject.makeBackend(), key: key(), limit: 3, bucket: .seconds(3600))
            var acquired = 0
            for _ in 0..<10 where try await limiter.tryAcquire() { acquired += 1 }
            // The check may reach over the end of an interval.
            try expect((3...6).contains(acquired), "3 to 6 to be let through", saw: "\(acquired)")
        },
        Promise("a window lets so many through over its length") { subject in
            let limiter = try WindowRateLimiter(
                backend: try await subject.makeBackend(), key: "{\(key())}", limit: 5, window: .seconds(600))
            var acquired = 0
            for _ in 0..<12 where try await limiter.tryAcquire() { acquired += 1 }
            try expectEqual(acquired, 5, "the number of those let through")
        },
    ]

    /// Takes all places of a limiter, which must be as many.
    private static func expectFree(
        _ count: Int,
        _ limiter: ConcurrentRateLimiter,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        var free = 0
        while free <= count, try await limiter.tryAcquire() { free += 1 }
        try expectEqual(free, count, "the number of free places", file: file, line: line)
        for _ in 0..<free where free < count { try await limiter.release() }
    }
}
