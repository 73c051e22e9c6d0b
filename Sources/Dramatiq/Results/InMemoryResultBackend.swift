import Synchronization

/// Keeps results in this process's memory.
public final class InMemoryResultBackend: ResultBackend {
    private struct State {
        var results: [ResultKey: (bytes: [UInt8], expiry: Moment)] = [:]
        var waiters: [ResultKey: [ObjectIdentifier: Signal]] = [:]
        /// When expired results are looked for next, in results.
        var sweepThreshold = 1024
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Moment

    public init() {
        now = { Moment.now }
    }

    /// - Parameter now: the clock by which results expire, for tests.
    package init(now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.now = { Moment(now()) }
    }

    public func store(_ result: [UInt8], for key: ResultKey, ttl: Duration) async throws {
        for waiter in keep(result, for: key, ttl: ttl) { waiter.signal() }
    }

    /// Keeps a result.
    ///
    /// - Returns: who waits for it.
    func keep(_ result: [UInt8], for key: ResultKey, ttl: Duration) -> [Signal] {
        let now = now()
        return state.withLock { state in
            state.results[key] = (result, now + ttl)
            if state.results.count > state.sweepThreshold {
                state.results = state.results.filter { $0.value.expiry > now }
                // It grows with what is alive, so the cost for each stays the same.
                state.sweepThreshold = max(1024, state.results.count * 2)
            }
            return state.waiters.removeValue(forKey: key).map { Array($0.values) } ?? []
        }
    }

    public func result(for key: ResultKey, timeout: Duration) async throws -> [UInt8]? {
        let deadline = ContinuousClock.now + timeout
        while true {
            let (signal, now) = (Signal(), now())
            let found = state.withLock { state -> [UInt8]? in
                if let result = state.results[key], result.expiry > now { return result.bytes }
                if timeout > .zero { state.waiters[key, default: [:]][ObjectIdentifier(signal)] = signal }
                return nil
            }
            if let found { return found }
            guard timeout > .zero, ContinuousClock.now < deadline else { return nil }
            defer {
                state.withLock { state in
                    state.waiters[key]?[ObjectIdentifier(signal)] = nil
                    if state.waiters[key]?.isEmpty ?? false { state.waiters[key] = nil }
                }
            }
            await signal.wait(until: deadline)
            try Task.checkCancellation()
        }
    }

    public func results(for keys: [ResultKey], maxSize: Int) async throws -> [[UInt8]?] {
        let now = now()
        return state.withLock { state in
            var results: [[UInt8]?] = []
            var size = 0
            for key in keys {
                let result = state.results[key].flatMap { $0.expiry > now ? $0.bytes : nil }
                size += result?.count ?? 0
                if size > maxSize { break }
                results.append(result)
            }
            return results
        }
    }
}
