import Crypto
public import Dramatiq

/// Keeps results in Redis, under the keys and in the form that Python's `RedisBackend` uses: each in a list of one.
///
/// On the same client as a ``RedisTransport``, results are kept in the commits that end their messages. If the transport's
/// namespace has a tag, as on a cluster, this needs readable keys in a namespace with the same tag; otherwise each result is
/// kept by a command of its own, before the commit.
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

    let executor: any RedisExecutor
    private let namespace: String
    private let style: KeyStyle
    /// What all its keys begin with that lie in one slot of a cluster, such as `{dramatiq}`; empty if they lie in any.
    private let keyTag: String

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
        keyTag = keys.isHashed ? "" : KeySlot.tag(of: namespace)
    }

    /// Whether its keys lie where a namespace's do: one without a tag is on no cluster.
    func isBeside(namespaceWithTag tag: String) -> Bool {
        tag.isEmpty || tag.hasSameBytes(as: keyTag)
    }

    func name(_ key: ResultKey) -> String {
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
    public func results(for keys: [ResultKey], maxSize: Int) async throws -> [[UInt8]?] {
        let replies = try await executor.pipeline(
            keys.map { RedisCommand(Self.looking, keys: [name($0)], Self.smallSize) })
        var results: [[UInt8]?] = []
        var size = 0
        for (key, reply) in zip(keys, replies) {
            var found: [UInt8]?
            switch try reply.get() {
            case .null: break
            case .integer(let count):
                if count > maxSize - size { return results }
                // One after the other, so that no more are held than are wanted.
                found = try await result(for: key, timeout: .zero)
            case let value: found = try value.bytes()
            }
            size += found?.count ?? 0
            if size > maxSize { return results }
            results.append(found)
        }
        return results
    }

    /// Up to how many bytes results are small.
    private static let smallSize = 1 << 16

    /// The result in `KEYS[1]`, or its size if that is more than `ARGV[1]`: how much a batch takes is known then before it is
    /// here.
    private static let looking = RedisScript(
        """
        local found = redis.call('LINDEX', KEYS[1], 0)
        if found and #found > tonumber(ARGV[1]) then return #found end
        return found
        """)
}
