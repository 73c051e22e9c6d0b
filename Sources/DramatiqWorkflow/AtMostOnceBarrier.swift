public import Dramatiq

/// A barrier that opens at most once, as in dramatiq-workflow: the release is recorded under `<key>_ran`.
///
/// It can't be waited for: a party that comes after the release would wait for ever.
public struct AtMostOnceBarrier: Sendable {
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
    /// - Throws: `RateLimitError.invalidArgument` for less than one party, or what the backend throws.
    @discardableResult
    public func create(parties: Int) async throws -> Bool {
        _ = try await backend.add("\(key)_ran", value: -1, ttl: ttl)
        return try await Barrier(backend: backend, key: key, ttl: ttl).create(parties: parties)
    }

    /// Arrives, as one party of many that are not told apart, also if the task is cancelled.
    ///
    /// - Returns: whether this opened the barrier; `true` only once.
    /// - Throws: `RateLimitError.blockingNotSupported` if `block` is set.
    public func wait(block: Bool = false, timeout: Duration = .zero) async throws -> Bool {
        guard !block else { throw RateLimitError.blockingNotSupported }
        // As a whole also if the task is cancelled: nobody else would open what the last one leaves half done.
        return try await uncancelled {
            guard try await Barrier(backend: backend, key: key, ttl: ttl).wait(block: false, timeout: .zero) else {
                return false
            }
            return try await backend.incr("\(key)_ran", amount: 1, maximum: 0, ttl: ttl)
        }
    }
}
