/// dramatiq's barrier: counts arrivals, and lets everybody through once the last one came.
///
///     let barrier = Barrier(backend: backend, key: "import-42", ttl: .seconds(30))
///     try await barrier.create(parties: 3)
///     try await barrier.wait(block: false, timeout: .zero)    // false, false, true
public struct Barrier: Sendable {
    /// How long a barrier is kept unless said otherwise: 15 minutes, as in dramatiq.
    public static let defaultTTL: Duration = .seconds(900)

    public let backend: any NotifyingBackend
    public let key: String
    public let ttl: Duration

    public init(backend: any NotifyingBackend, key: String, ttl: Duration = Barrier.defaultTTL) {
        self.backend = backend
        self.key = key
        self.ttl = ttl
    }

    /// Makes the barrier.
    ///
    /// - Returns: whether it was made; `false` if it exists.
    /// - Throws: ``RateLimitError/Code/invalidArgument`` for less than one party, or what the backend throws.
    @discardableResult
    public func create(parties: Int) async throws -> Bool {
        guard parties > 0 else { throw RateLimitError.invalidArgument("A barrier needs at least one party") }
        return try await backend.add(key, value: parties, ttl: ttl)
    }

    /// Arrives, as one party of many that are not told apart.
    ///
    /// The arrival counts also if the task is cancelled: were it the last one and cut short, the others would wait in
    /// vain.
    ///
    /// - Parameters:
    ///   - block: whether to wait for the others. Defaults to `true`.
    ///   - timeout: how long to wait at most. Defaults to a minute.
    /// - Returns: whether all have arrived; `false` also if the task was cancelled while it waited.
    /// - Throws: what the backend throws.
    @discardableResult
    public func wait(block: Bool = true, timeout: Duration = .seconds(60)) async throws -> Bool {
        let isLast = try await uncancelled {
            // The count stays at 1 when the last party comes: refusing to go below is the sign.
            guard try await !backend.decr(key, amount: 1, minimum: 1, ttl: ttl) else { return false }
            try await backend.notify("\(key)@events", ttl: ttl)
            return true
        }
        if isLast { return true }
        guard block else { return false }
        return try await backend.wait("\(key)@events", timeout: timeout)
    }
}
