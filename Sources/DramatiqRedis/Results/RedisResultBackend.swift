import Crypto
public import Dramatiq

/// Keeps results in Redis, under the keys and in the form that Python's `RedisBackend` uses: each in a list of one.
///
/// A result is kept for a time between a millisecond and a century. Whoever waits does so on a connection of its own, which
/// others use after; results come to it at once.
public struct RedisResultBackend: ResultBackend {
    /// How keys are made, as Python's backend is told with `use_namespace_prefix_keys`.
    public struct KeyStyle: Sendable, Hashable {
        fileprivate let isHashed: Bool

        /// The MD5 of the readable key in hexadecimal digits, Python's default.
        public static let hashed = KeyStyle(isHashed: true)
        /// `<namespace>:<queue>:<actor>:<message id>`.
        public static let readable = KeyStyle(isHashed: false)
    }

    /// What keys begin with unless said otherwise, as in dramatiq.
    public static let defaultNamespace = "dramatiq-results"

    private let executor: any RedisExecutor
    private let namespace: String
    private let style: KeyStyle

    /// - Parameters:
    ///   - executor: the client, usually a `RedisClient`.
    ///   - namespace: what keys begin with. Defaults to `dramatiq-results`, as in dramatiq.
    ///   - keys: how keys are made. Defaults to hashed ones, as in dramatiq.
    public init(
        _ executor: any RedisExecutor,
        namespace: String = RedisResultBackend.defaultNamespace,
        keys: KeyStyle = .hashed
    ) {
        self.executor = executor
        self.namespace = namespace
        style = keys
    }

    private func name(_ key: ResultKey) -> String {
        let name = "\(namespace):\(key.queueName):\(key.actorName):\(key.messageID)"
        guard style.isHashed else { return name }
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: Insecure.MD5.hash(data: Array(name.utf8)).flatMap {
                [digits[Int($0 >> 4)], digits[Int($0 & 15)]]
            },
            as: UTF8.self)
    }

    /// - Throws: ``RedisError``.
    public func store(_ result: [UInt8], for key: ResultKey, ttl: Duration) async throws {
        _ = try await executor.evaluate(Self.storing, keys: [name(key)], result, ttl.redisMilliseconds)
    }

    /// Keeps `ARGV[1]` in `KEYS[1]` for `ARGV[2]` milliseconds. Those that wait get it when the script has run.
    private static let storing = RedisScript(
        """
        redis.call('UNLINK', KEYS[1])
        redis.call('LPUSH', KEYS[1], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        """)

    /// - Throws: ``RedisError``, `CancellationError`.
    public func result(for key: ResultKey, timeout: Duration) async throws -> [UInt8]? {
        let name = name(key)
        let found = try await executor.execute(RedisCommand("LINDEX", name, 0))
        if !found.isNull { return try found.bytes() }
        guard timeout > .zero else { return nil }
        // To Redis no time at all means for ever. A list of one that is rotated stays as it is, its time included.
        let timeout = timeout.boundedForRedis(atLeast: .milliseconds(1))
        let seconds = Double(timeout.milliseconds) / 1000
        let reply = try await executor.block(RedisCommand("BRPOPLPUSH", name, name, seconds), timeout: timeout)
        return reply.isNull ? nil : try reply.bytes()
    }

    /// - Throws: ``RedisError``, `CancellationError`.
    public func results(for keys: [ResultKey]) async throws -> [[UInt8]?] {
        try await executor.pipeline(keys.map { RedisCommand("LINDEX", name($0), 0) }).map { reply in
            let reply = try reply.get()
            return reply.isNull ? nil : try reply.bytes()
        }
    }
}
