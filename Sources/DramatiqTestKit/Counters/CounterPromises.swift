import Dramatiq

/// What a `RateLimiterBackend` promises: counters that all clients share, within bounds and for a time.
public enum CounterPromises {
    public static var all: [Promise<any CounterSubject>] { counters + limits + notifications }

    /// A key that nothing else uses.
    static func key() -> String { "promise-\(UniqueID.make())" }

    static let counters: [Promise<any CounterSubject>] = [
        Promise("a key is added once") { subject in
            let backend = try await subject.makeBackend()
            let (key, ttl) = (key(), subject.lifetime)
            try expect(try await backend.add(key, value: 3, ttl: ttl), "a key that is not there to be added")
            try expect(try await !backend.add(key, value: 9, ttl: ttl), "a key that is there not to be added")
            // It still is 3.
            try expect(try await !backend.incr(key, amount: 1, maximum: 3, ttl: ttl), "4 to be more than 3")
            try expect(try await backend.incr(key, amount: 1, maximum: 4, ttl: ttl), "4 not to be more than 4")
        },
        Promise("a counter keeps to its bounds, and what is refused changes nothing") { subject in
            let backend = try await subject.makeBackend()
            let (key, ttl) = (key(), subject.lifetime)
            _ = try await backend.add(key, value: 1, ttl: ttl)
            try expect(try await backend.incr(key, amount: 2, maximum: 3, ttl: ttl), "1 + 2 to be within 3")
            for _ in 0..<3 {
                try expect(try await !backend.incr(key, amount: 1, maximum: 3, ttl: ttl), "3 + 1 to be beyond 3")
            }
            try expect(try await backend.decr(key, amount: 3, minimum: 0, ttl: ttl), "3 - 3 to be within 0")
            try expect(try await backend.incr(key, amount: 5, maximum: 5, ttl: ttl), "0 + 5 to be within 5")
            for _ in 0..<3 {
                try expect(try await !backend.decr(key, amount: 4, minimum: 2, ttl: ttl), "5 - 4 to be beyond 2")
            }
            try expect(try await backend.decr(key, amount: 3, minimum: 2, ttl: ttl), "5 - 3 to be within 2")
        },
        Promise("a counter that is not there counts as 0") { subject in
            let backend = try await subject.makeBackend()
            let (key, other, ttl) = (key(), key(), subject.lifetime)
            try expect(try await backend.incr(key, amount: 2, maximum: 2, ttl: ttl), "0 + 2 to be within 2")
            try expect(try await !backend.incr(key, amount: 1, maximum: 2, ttl: ttl), "2 + 1 to be beyond 2")
            try expect(try await !backend.decr(other, amount: 1, minimum: 0, ttl: ttl), "0 - 1 to be beyond 0")
            try expect(try await backend.add(other, value: 1, ttl: ttl), "what is refused to make no key")
        },
        Promise("counters are atomic, whichever client counts") { subject in
            let backends = [try await subject.makeBackend(), try await subject.makeBackend()]
            let (key, ttl) = (key(), subject.lifetime)
            let done = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<100 {
                    group.addTask { try await backends[number % 2].incr(key, amount: 1, maximum: 75, ttl: ttl) }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try expectEqual(done, 75, "the number of increments within 75")
            let undone = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<100 {
                    group.addTask { try await backends[number % 2].decr(key, amount: 1, minimum: 25, ttl: ttl) }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try expectEqual(undone, 50, "the number of decrements from 75 within 25")
            let added = try await withThrowingTaskGroup(of: Bool.self) { group in
                let key = Self.key()
                for number in 0..<20 {
                    group.addTask { try await backends[number % 2].add(key, value: 1, ttl: ttl) }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try expectEqual(added, 1, "the number of times that a key was added")
        },
        Promise("a sum of counters keeps to its bound") { subject in
            let backend = try await subject.makeBackend()
            let (a, b, c, ttl) = (key(), key(), key(), subject.lifetime)
            _ = try await backend.add(a, value: 1, ttl: ttl)
            let keys = { @Sendable in [a, b, c] }
            try expect(
                try await backend.incrAndSum(b, keys: keys, amount: 2, maximum: 3, ttl: ttl), "1 + 2 to be within 3")
            try expect(
                try await !backend.incrAndSum(c, keys: keys, amount: 1, maximum: 3, ttl: ttl), "3 + 1 to be beyond 3")
            try expect(try await backend.add(c, value: 1, ttl: ttl), "what is refused to make no key")
        },
        Promise("a counter lives for its time after each change, and no longer", needs: [.passingTime]) { subject in
            let backend = try await subject.makeBackend()
            let (key, ttl) = (key(), subject.lifetime)
            _ = try await backend.add(key, value: 1, ttl: ttl)
            for value in 2...4 {
                try await subject.letPass(ttl * 3 / 4)
                try expect(
                    try await !backend.incr(key, amount: 1, maximum: value - 1, ttl: ttl),
                    "the counter to be \(value - 1)")
                try expect(
                    try await backend.incr(key, amount: 1, maximum: value, ttl: ttl), "the counter to be \(value) now")
            }
            try await subject.letPass(ttl * 3 / 4)
            try expect(try await backend.decr(key, amount: 1, minimum: 3, ttl: ttl), "the counter to be 3 now")
            try await subject.letPass(ttl * 2)
            try expect(try await backend.add(key, value: 7, ttl: ttl), "the counter to be gone after its time")
        },
    ]

    static let notifications: [Promise<any CounterSubject>] = [
        Promise("whoever waits at a barrier is woken when the last party comes", needs: [.notifications]) { subject in
            let barrier = Barrier(backend: try await subject.makeNotifyingBackend(), key: key(), ttl: subject.lifetime)
            let other = Barrier(
                backend: try await subject.makeNotifyingBackend(), key: barrier.key, ttl: subject.lifetime)
            let patience = subject.patience
            try expect(try await barrier.create(parties: 3), "a new barrier")
            try expect(try await !other.create(parties: 3), "that the barrier is there")
            let opened = try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask { try await barrier.wait(timeout: patience) }
                group.addTask { try await other.wait(timeout: patience) }
                group.addTask { try await other.wait(timeout: patience) }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try expectEqual(opened, [true, true, true], "what those that waited were told")
        },
        Promise("waiting ends when its time is over", needs: [.notifications]) { subject in
            let backend = try await subject.makeNotifyingBackend()
            let woken = try await within(subject.patience, "the wait to end") {
                try await backend.wait(key(), timeout: .milliseconds(20))
            }
            try expect(!woken, "that nothing was notified")
        },
        Promise("waiting ends when its task is cancelled", needs: [.notifications]) { subject in
            let backend = try await subject.makeNotifyingBackend()
            let patience = subject.patience
            let wait = Task { try await backend.wait(key(), timeout: patience * 10) }
            wait.cancel()
            let woken = try await within(patience, "the wait to end") { try await wait.value }
            try expect(!woken, "that nothing was notified")
        },
    ]
}
