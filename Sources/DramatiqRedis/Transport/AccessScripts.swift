/// The scripts that find out whether a user may do what a worker does, before it has to.
///
/// Each does on keys of its own what the other scripts do, and on theirs what changes nothing. It answers with what was
/// refused: command, key and the server's words in turn. A server that is full refuses some of it as well.
enum AccessScripts {
    private static let functions = """
        local problems = {}
        local function check(command, ...)
          local reply = redis.pcall(command, ...)
          if type(reply) == 'table' and reply.err then
            for _, text in ipairs({ command, (...) or '', reply.err }) do problems[#problems + 1] = text end
          end
        end

        local function check_set(key)
          check('SADD', key, 'a', 'b')
          check('SISMEMBER', key, 'a')
          check('PEXPIRE', key, 1000)
          check('EXISTS', key)
        end

        """

    /// `KEYS` are of the namespace. `ARGV[1]` is the transport's id, the others are queues without those that go with
    /// them.
    static let worker = RedisScript(
        """
        local namespace, id = KEYS[1], ARGV[1]
        local own = KEYS[2] .. '-check-'
        \(functions)
        check('HSET', own .. 'h', 'a', 'b')
        check('HGET', own .. 'h', 'a')
        check('HMGET', own .. 'h', 'a', 'b')
        check('HEXISTS', own .. 'h', 'a')
        check('HSCAN', own .. 'h', 0)
        check('HDEL', own .. 'h', 'a')
        check('RPUSH', own .. 'l', 'a')
        check('LPUSH', own .. 'l', 'b')
        check('LRANGE', own .. 'l', 0, 0)
        check('LTRIM', own .. 'l', 2, -1)
        check_set(own .. 's')
        check('SSCAN', own .. 's', 0)
        check('SREM', own .. 's', 'a')
        check('SPOP', own .. 's', 1)
        check('ZADD', own .. 'z', 1, 'a')
        check('ZRANGEBYSCORE', own .. 'z', 0, 1)
        check('ZREM', own .. 'z', 'a')
        check('SET', own .. 'v', 'a', 'PX', 1000)
        for _, kind in ipairs({ 'h', 'l', 's', 'z', 'v' }) do check('UNLINK', own .. kind) end
        check('SCAN', '0', 'MATCH', own, 'COUNT', 1)
        check('TIME')

        check('ZSCORE', namespace .. ':__heartbeats__', id)
        check('ZREM', namespace .. ':__heartbeats__', '')
        check('PTTL', namespace .. ':__reaper__')
        check('SISMEMBER', namespace .. ':__paused__', '')
        check('SSCAN', namespace .. ':__paused__', 0)
        for i = 2, #ARGV do
          local list = namespace .. ':' .. ARGV[i]
          for _, queue in ipairs({ list, list .. '.DQ' }) do
            check('LLEN', queue)
            check('LTRIM', queue, 0, -1)
            check('HLEN', queue .. '.msgs')
            check('HDEL', queue .. '.msgs', '')
          end
          check('SCARD', namespace .. ':__acks__.' .. id .. '.' .. ARGV[i])
          check('SREM', namespace .. ':__acks__.' .. id .. '.' .. ARGV[i], '')
          check('HDEL', namespace .. ':__redelivered__.' .. ARGV[i], '')
          check('HDEL', namespace .. ':__redelivered__.' .. ARGV[i] .. '.DQ', '')
          check('ZCARD', list .. '.XQ')
          check('ZREM', list .. '.XQ', '')
          check('HDEL', list .. '.XQ.msgs', '')
          check('UNLINK', list .. '.XQ.reason.')
        end
        return problems
        """)

    /// `KEYS[1]` is such as a barrier's.
    static let barriers = RedisScript(
        """
        local key = KEYS[1]
        \(functions)
        check('SET', key, '1', 'PX', 1000)
        check('SET', key .. '_ran', '-1', 'PX', 1000)
        check('GET', key)
        check('MGET', key, key .. '_ran')
        check('PTTL', key)
        check('DECR', key)
        check('DECRBY', key, 1)
        check_set(key .. '_arrived')
        check('HSET', key .. '_state', 'a', 'b')
        check('HMGET', key .. '_state', 'a', 'b')
        check('HGETALL', key .. '_state')
        check('HDEL', key .. '_state', 'a')
        check('SCARD', key .. '_open')
        check('SRANDMEMBER', key .. '_open', 1)
        check('SREM', key .. '_open', 'a')
        check('HLEN', key .. '_failures')
        check('HSCAN', key .. '_failures', '0')
        check('ZADD', key .. '_list', 1, 'a')
        check('ZRANGEBYSCORE', key .. '_list', 0, 1)
        check('ZCARD', key .. '_list')
        check('ZREM', key .. '_list', 'a')
        for _, suffix in ipairs({ '', '_ran', '_arrived', '_state' }) do check('UNLINK', key .. suffix) end
        return problems
        """)
}

extension RedisExecutor {
    /// Runs one of ``AccessScripts``.
    ///
    /// - Throws: ``RedisError/Code/permissionDenied`` with what the user may not do and the keys that have another type,
    ///   and what else the server refuses.
    func verify(_ script: RedisScript, keys: [String], _ arguments: [String] = []) async throws {
        var refusals = AccessRefusals()
        do {
            let reply = try await evaluate(script, keys: keys, list: arguments).array()
            for index in stride(from: 0, to: reply.count - 2, by: 3) {
                try refusals.add(
                    command: try reply[index].string(), key: try reply[index + 1].string(),
                    text: try reply[index + 2].string())
            }
        } catch let error as RedisError where error.isServerError("NOPERM") {
            throw RedisError(
                .permissionDenied,
                "Redis keeps the user from evaluating a script with keys \(keys.joined(separator: ", "))",
                underlyingError: error)
        }
        if let error = refusals.error { throw error }
    }
}

/// What of a check was refused, said in one sentence.
struct AccessRefusals {
    private var commands: [String] = []
    private var keys: [String] = []
    private var typedKeys: [String] = []

    /// - Throws: an error that neither a user's rights nor a key's type is the reason for.
    mutating func add(command: String, key: String, text: String) throws(RedisError) {
        let error = RedisError(.server, text)
        if text.contains("OOM ") {
            // It will be refused again when it is needed, and is then waited for.
        } else if text.hasPrefix("WRONGTYPE") {
            note(key, in: &typedKeys)
        } else if text.contains("key") && (text.contains("can't access") || text.contains("no permissions")) {
            note("\(key) (\(command))", in: &keys)
        } else if text.contains("can't run this command") || text.contains("no permissions") {
            note(command, in: &commands)
        } else {
            throw error
        }
    }

    private func note(_ text: String, in list: inout [String]) {
        if !list.contains(text) { list.append(text) }
    }

    var error: RedisError? {
        var parts: [String] = []
        if !commands.isEmpty { parts.append("Redis keeps the user from commands: \(list(commands))") }
        if !keys.isEmpty { parts.append("Redis keeps the user from keys: \(list(keys))") }
        if !typedKeys.isEmpty { parts.append("Keys hold something else than they should: \(list(typedKeys))") }
        if parts.isEmpty { return nil }
        let code: RedisError.Code = commands.isEmpty && keys.isEmpty ? .unexpectedReply : .permissionDenied
        return RedisError(code, parts.joined(separator: ". "))
    }

    private func list(_ names: [String]) -> String {
        names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
    }
}
