import Dramatiq

/// Results that are kept with the ends of their messages, by the script that ends these: see ``CommitScript``.
enum KeptResults {
    /// Up to how many bytes a result may have to be kept in a step with others.
    static let maxShared = 1 << 10

    /// Makes `keep(i)` of the arguments before a step, which keeps the result of the message at that place of it. With a
    /// second argument it only finds out whether the key can be used, since once something is written it is too late. Expects
    /// `at`, the place of the latest argument, and `take()`.
    ///
    /// A key of another type is replaced. Those that wait for the result get it when the script has run.
    static let reading = """
        local count = tonumber(take())
              local first = at - 2
              at = at + 3 * count
              keep = function(i, only_looks)
                local key, ttl, result = ARGV[first + 3 * i], ARGV[first + 3 * i + 1], ARGV[first + 3 * i + 2]
                if only_looks then return redis.call('EXISTS', key) end
                redis.call('UNLINK', key)
                redis.call('LPUSH', key, result)
                redis.call('PEXPIRE', key, ttl)
              end
        """

    /// How many arguments of the script they are.
    static func argumentCount(_ count: Int) -> Int { 2 + 3 * count }
}

extension ResultCommit {
    /// About how many bytes it has on the wire.
    var size: Int { bytes.count + 96 }
}

extension RedisCommand {
    /// Adds what stands before a step whose messages have results, each of them one, in their order.
    mutating func append(keeping results: some Collection<ResultCommit>) {
        append("r")
        append(results.count)
        for result in results {
            // The transport has made sure of the backend.
            append((result.backend as? RedisResultBackend)?.name(result.key) ?? "")
            append(result.ttl.redisMilliseconds)
            append(result.bytes)
        }
    }
}
