/// The scripts that look after dead letters. `KEYS[1]` is the namespace, `ARGV[1]` the queue.
enum DeadLetterScripts {
    /// Answers with id, time, bytes and reason of dead letters in turn, oldest first.
    ///
    /// Further arguments: how many to leave out, how many at most; or the id of one.
    static let list = RedisScript(
        """
        local name = KEYS[1] .. ':' .. ARGV[1] .. '.XQ'
        local ids = { ARGV[2] }
        if #ARGV == 3 then ids = redis.call('ZRANGE', name, ARGV[2], ARGV[2] + ARGV[3] - 1) end
        local reply = {}
        for _, id in ipairs(ids) do
          local time = redis.call('ZSCORE', name, id)
          local message = redis.call('HGET', name .. '.msgs', id)
          if time and message then
            reply[#reply + 1] = id
            reply[#reply + 1] = string.format('%.0f', time)
            reply[#reply + 1] = message
            reply[#reply + 1] = redis.call('GET', name .. '.reason.' .. id) or ''
          end
        end
        return reply
        """)

    /// Puts dead letters back into their queue and answers how many.
    ///
    /// Further arguments: how many at most, oldest first, and optionally the id of one.
    static let requeue = RedisScript(
        """
        local list = KEYS[1] .. ':' .. ARGV[1]
        local name = list .. '.XQ'
        -- Keys of another type are found before anything is written.
        redis.call('LLEN', list)
        redis.call('HLEN', list .. '.msgs')
        redis.call('ZCARD', name)
        redis.call('HLEN', name .. '.msgs')
        local ids = { ARGV[3] }
        if not ARGV[3] then ids = redis.call('ZRANGE', name, 0, ARGV[2] - 1) end
        local count = 0
        for _, id in ipairs(ids) do
          local message = redis.call('HGET', name .. '.msgs', id)
          if message then
            redis.call('HSET', list .. '.msgs', id, message)
            redis.call('RPUSH', list, id)
            count = count + 1
          end
          redis.call('ZREM', name, id)
          redis.call('HDEL', name .. '.msgs', id)
          redis.call('UNLINK', name .. '.reason.' .. id)
        end
        return count
        """)

    /// Removes dead letters for good and answers how many.
    ///
    /// Further arguments: as for ``requeue``.
    static let remove = RedisScript(
        """
        local name = KEYS[1] .. ':' .. ARGV[1] .. '.XQ'
        redis.call('HLEN', name .. '.msgs')
        local ids = { ARGV[3] }
        if not ARGV[3] then ids = redis.call('ZRANGE', name, 0, ARGV[2] - 1) end
        local count = 0
        for _, id in ipairs(ids) do
          count = count + redis.call('ZREM', name, id)
          redis.call('HDEL', name .. '.msgs', id)
          redis.call('UNLINK', name .. '.reason.' .. id)
        end
        return count
        """)
}
