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
            -- What the reason's key holds may be of another type.
            local reason = redis.pcall('GET', name .. '.reason.' .. id)
            reply[#reply + 1] = time
            reply[#reply + 1] = message
            reply[#reply + 1] = type(reason) == 'string' and reason or ''
          end
        end
        return reply
        """)

    /// Answers with id and bytes of dead letters in turn, oldest first, the bytes empty for one that has none.
    ///
    /// Further arguments: how many at most, how many bytes at most unless the first has more, and optionally the id of
    /// one.
    static let contents = RedisScript(
        """
        local name = KEYS[1] .. ':' .. ARGV[1] .. '.XQ'
        local ids = { ARGV[4] }
        if not ARGV[4] then ids = redis.call('ZRANGE', name, 0, ARGV[2] - 1) end
        local reply, size = {}, 0
        for _, id in ipairs(ids) do
          local message = redis.call('HGET', name .. '.msgs', id) or ''
          size = size + #message
          if size > tonumber(ARGV[3]) and #reply > 0 then break end
          reply[#reply + 1] = id
          reply[#reply + 1] = message
        end
        return reply
        """)

    /// Puts dead letters back into their queue, as long as they are there, and answers how many.
    ///
    /// Further arguments, for each: its id, what follows the queue's name where it goes to, and the bytes that replace
    /// its own unless they are empty.
    static let requeue = RedisScript(
        """
        local list = KEYS[1] .. ':' .. ARGV[1]
        local name, marks = list .. '.XQ', KEYS[1] .. ':__redelivered__.' .. ARGV[1]
        local delayed_marks = marks .. '.DQ'
        -- Keys of another type are found before anything is written.
        for _, target in ipairs({ list, list .. '.DQ' }) do
          redis.call('LLEN', target)
          redis.call('HLEN', target .. '.msgs')
        end
        redis.call('ZCARD', name)
        redis.call('HLEN', name .. '.msgs')
        redis.call('HLEN', marks)
        redis.call('HLEN', delayed_marks)
        local count = 0
        for i = 2, #ARGV, 3 do
          local id, target, bytes = ARGV[i], list .. ARGV[i + 1], ARGV[i + 2]
          local message = redis.call('HGET', name .. '.msgs', id)
          if message then
            if bytes ~= '' then message = bytes end
            redis.call('HSET', target .. '.msgs', id, message)
            redis.call('RPUSH', target, id)
            -- Python leaves behind what it doesn't know.
            redis.call('HDEL', marks, id)
            redis.call('HDEL', delayed_marks, id)
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
    /// Further arguments: how many at most, oldest first; or their number and their ids.
    static let remove = RedisScript(
        """
        local name = KEYS[1] .. ':' .. ARGV[1] .. '.XQ'
        redis.call('HLEN', name .. '.msgs')
        local ids = { unpack(ARGV, 3) }
        if #ids == 0 then ids = redis.call('ZRANGE', name, 0, ARGV[2] - 1) end
        local count = 0
        for _, id in ipairs(ids) do
          count = count + redis.call('ZREM', name, id)
          redis.call('HDEL', name .. '.msgs', id)
          redis.call('UNLINK', name .. '.reason.' .. id)
        end
        return count
        """)
}
