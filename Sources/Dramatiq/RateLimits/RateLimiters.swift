/// Lets operations through as long as there are not too many of them.
public protocol RateLimiter: Sendable {
    var key: String { get }

    /// Takes a place.
    ///
    /// - Returns: whether there was one.
    func tryAcquire() async throws -> Bool

    /// Gives a place back, for limiters that count what is running.
    func release() async throws
}

extension RateLimiter {
    /// Runs an operation within the limit.
    ///
    /// - Throws: ``RateLimitExceeded`` if there is no place; ``Retries`` then tries the message again later.
    public func acquire<Result>(_ operation: () async throws -> Result) async throws -> Result {
        guard try await tryAcquire() else { throw RateLimitExceeded(key: key) }
        let result: Result
        do {
            result = try await operation()
        } catch {
            try await release()
            throw error
        }
        try await release()
        return result
    }

    public func release() async throws {}
}

/// There was no place under a rate limit.
public struct RateLimitExceeded: Error, Sendable, Hashable, CustomStringConvertible {
    public let key: String

    public init(key: String) {
        self.key = key
    }

    public var description: String { "Rate limit exceeded for key '\(key)'" }
}

/// A rate limiter or barrier was set up or used in a way that can't work.
public enum RateLimitError: Error, Sendable, Hashable, CustomStringConvertible {
    case invalidArgument(String)
    /// The barrier opens at most once and can't be waited for: a party that comes after the release would wait for
    /// ever.
    case blockingNotSupported

    public var description: String {
        switch self {
        case .invalidArgument(let text): text
        case .blockingNotSupported: "A barrier that opens at most once can't be waited for"
        }
    }
}

/// At most `limit` operations at the same time. With a limit of 1 it is a distributed mutex.
public struct ConcurrentRateLimiter: RateLimiter {
    public let backend: any RateLimiterBackend
    public let key: String
    public let limit: Int
    public let ttl: Duration

    /// - Parameter ttl: when a place that was never given back becomes free, counted from the last acquisition.
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

    public func tryAcquire() async throws -> Bool {
        if try await backend.add(key, value: 1, ttl: ttl) { return true }
        return try await backend.incr(key, amount: 1, maximum: limit, ttl: ttl)
    }

    public func release() async throws {
        _ = try await backend.decr(key, amount: 1, minimum: 0, ttl: ttl)
    }
}

/// At most `limit` operations in each interval of the clock. Cheap; two bursts can meet where intervals touch.
public struct BucketRateLimiter: RateLimiter {
    public let backend: any RateLimiterBackend
    public let key: String
    public let limit: Int
    public let bucket: Duration

    /// - Parameter bucket: the length of an interval, at least a millisecond.
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
    /// The window's length in seconds; each of them is a key of its own.
    public let window: Int

    /// - Throws: ``RateLimitError`` if the limit or the window is below 1.
    public init(
        backend: any RateLimiterBackend,
        key: String,
        limit: Int = 1,
        window: Int = 1
    ) throws(RateLimitError) {
        guard limit >= 1 else { throw .invalidArgument("A limit must be at least 1") }
        guard window >= 1 else { throw .invalidArgument("A window must be at least a second long") }
        self.backend = backend
        self.key = key
        self.limit = limit
        self.window = window
    }

    public func tryAcquire() async throws -> Bool {
        let keys: @Sendable () -> [String] = { [key, window] in
            let now = SystemClock.milliseconds() / 1000
            return (0..<window).map { "\(key)@\(now - $0)" }
        }
        return try await backend.incrAndSum(
            "\(key)@\(SystemClock.milliseconds() / 1000)",
            keys: keys,
            amount: 1,
            maximum: limit,
            ttl: .seconds(window)
        )
    }
}
