/// Lets operations through as long as there are not too many of them.
///
/// A limiter needs ``tryAcquire()`` and, if it counts what is running, ``release()``. One that can tell holders apart
/// implements the two with a holder as well.
public protocol RateLimiter: Sendable {
    var key: String { get }

    /// Takes a place.
    ///
    /// - Returns: whether there was one. The caller then has it, also if its task was cancelled meanwhile.
    /// - Throws: what the backend throws.
    func tryAcquire() async throws -> Bool

    /// Gives a place back, for limiters that count what is running.
    ///
    /// - Throws: what the backend throws.
    func release() async throws

    /// Takes a place, called by ``RateLimiter/acquire(isolation:_:)`` apart from the task that may be cancelled.
    ///
    /// - Parameter holder: who takes it, an id that nobody else has, so that it can be repeated.
    /// - Throws: what the backend throws.
    func tryAcquire(holder: String) async throws -> Bool

    /// Gives back the place that a holder took, called as ``tryAcquire(holder:)``.
    ///
    /// - Throws: what the backend throws.
    func release(holder: String) async throws
}

extension RateLimiter {
    /// Runs an operation within the limit, on the caller's actor.
    ///
    /// The place is given back however the operation ends, also if the task is cancelled: before, while the place is
    /// taken, or while the operation runs. That waits for the backend, for up to 5 s after the cancellation.
    ///
    /// - Throws: ``RateLimitExceeded`` if there is no place; ``Retries`` then tries the message again later.
    ///   `CancellationError` if the task was cancelled before the operation began. What the operation throws. What the
    ///   backend throws, also after the operation if it can't give the place back, which then becomes free when its
    ///   time is over.
    public func acquire<Result>(
        isolation: isolated (any Actor)? = #isolation,
        _ operation: () async throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        let holder = UniqueID.make()
        guard try await uncancelled({ try await tryAcquire(holder: holder) }) else {
            throw RateLimitExceeded(key: key)
        }
        let result: Result
        do {
            try Task.checkCancellation()
            result = try await operation()
        } catch {
            // Why the operation failed says more than that of giving back.
            try? await uncancelled { try await release(holder: holder) }
            throw error
        }
        try await uncancelled { try await release(holder: holder) }
        return result
    }

    public func release() async throws {}
    public func tryAcquire(holder: String) async throws -> Bool { try await tryAcquire() }
    public func release(holder: String) async throws { try await release() }
}

/// There was no place under a rate limit.
public struct RateLimitExceeded: Error, Sendable, Hashable, CustomStringConvertible {
    public let key: String

    public init(key: String) {
        self.key = key
    }

    public var description: String { "Rate limit exceeded for key '\(key)'" }
}

/// At most `limit` operations at the same time. With a limit of 1 it is a distributed mutex.
public struct ConcurrentRateLimiter: RateLimiter {
    public let backend: any RateLimiterBackend
    public let key: String
    public let limit: Int
    public let ttl: Duration

    /// - Parameters:
    ///   - backend: keeps the count, for all processes that share it.
    ///   - key: the name under which it is kept.
    ///   - limit: how many at most. Defaults to 1.
    ///   - ttl: when a place that was never given back becomes free, counted from the last acquisition. Defaults to 15
    ///     minutes, as in dramatiq.
    /// - Throws: ``RateLimitError`` if the limit is below 1.
    public init(
        backend: any RateLimiterBackend,
        key: String,
        limit: Int = 1,
        ttl: Duration = .seconds(900)
    ) throws(RateLimitError) {
        guard limit >= 1 else { throw .invalidArgument("A limit must be at least 1") }
        self.backend = backend
        self.key = key
        self.limit = limit
        self.ttl = ttl
    }

    /// Takes a place, to be given back with ``release()``.
    ///
    /// - Returns: whether there was one. The caller then has it, also if its task was cancelled meanwhile.
    /// - Throws: what the backend throws.
    public func tryAcquire() async throws -> Bool {
        try await uncancelled { try await tryAcquire(holder: UniqueID.make()) }
    }

    /// Gives a place back, also if the task is cancelled.
    ///
    /// - Throws: what the backend throws.
    public func release() async throws {
        try await uncancelled { try await release(holder: UniqueID.make()) }
    }

    public func tryAcquire(holder: String) async throws -> Bool {
        try await backend.acquire(key, limit: limit, holder: holder, ttl: ttl)
    }

    public func release(holder: String) async throws {
        try await backend.release(key, holder: holder, ttl: ttl)
    }
}

/// At most `limit` operations in each interval of the clock. Cheap; two bursts can meet where intervals touch.
public struct BucketRateLimiter: RateLimiter {
    public let backend: any RateLimiterBackend
    public let key: String
    public let limit: Int
    public let bucket: Duration

    /// - Parameters:
    ///   - backend: keeps the count, for all processes that share it.
    ///   - key: the name under which it is kept.
    ///   - limit: how many at most. Defaults to 1.
    ///   - bucket: the length of an interval, at least a millisecond. Defaults to a second.
    /// - Throws: ``RateLimitError`` if the limit is below 1 or the interval too short.
    public init(
        backend: any RateLimiterBackend,
        key: String,
        limit: Int = 1,
        bucket: Duration = .seconds(1)
    ) throws(RateLimitError) {
        guard limit >= 1 else { throw .invalidArgument("A limit must be at least 1") }
        guard bucket.milliseconds >= 1 else { throw .invalidArgument("A bucket must be at least a millisecond long") }
        self.backend = backend
        self.key = key
        self.limit = limit
        self.bucket = bucket
    }

    public func tryAcquire() async throws -> Bool {
        let now = SystemClock.milliseconds()
        let bucketKey = "\(key)@\(now - now % bucket.milliseconds)"
        if try await backend.add(bucketKey, value: 1, ttl: bucket) { return true }
        return try await backend.incr(bucketKey, amount: 1, maximum: limit, ttl: bucket)
    }
}

/// At most `limit` operations in a sliding window of whole seconds.
public struct WindowRateLimiter: RateLimiter {
    public let backend: any RateLimiterBackend
    public let key: String
    public let limit: Int
    /// The window's length; each of its seconds is a key of its own.
    public let window: Duration

    /// - Parameters:
    ///   - backend: keeps the count, for all processes that share it.
    ///   - key: the name under which it is kept.
    ///   - limit: how many at most. Defaults to 1.
    ///   - window: the window's length in whole seconds. Defaults to one.
    /// - Throws: ``RateLimitError`` if the limit is below 1, or the window is not one or more whole seconds.
    public init(
        backend: any RateLimiterBackend,
        key: String,
        limit: Int = 1,
        window: Duration = .seconds(1)
    ) throws(RateLimitError) {
        guard limit >= 1 else { throw .invalidArgument("A limit must be at least 1") }
        guard window >= .seconds(1), window.components.attoseconds == 0 else {
            throw .invalidArgument("A window must be one or more whole seconds long")
        }
        self.backend = backend
        self.key = key
        self.limit = limit
        self.window = window
    }

    public func tryAcquire() async throws -> Bool {
        try await backend.incrAndSum(
            "\(key)@\(SystemClock.milliseconds() / 1000)",
            keys: {
                let now = SystemClock.milliseconds() / 1000
                return (0..<Int(clamping: window.components.seconds)).map { "\(key)@\(now - $0)" }
            },
            amount: 1,
            maximum: limit,
            ttl: window
        )
    }
}
