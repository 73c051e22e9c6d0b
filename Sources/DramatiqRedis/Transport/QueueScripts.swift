/// The scripts by which a worker takes messages, returns them and shows that it is alive.
///
/// Each begins with a write that needs no memory, so that a server whose memory is full doesn't refuse it: a worker
/// that could not be heard would lose its messages to others.
enum QueueScripts {
    /// Moves ids from a queue to the worker's, in one step with the heartbeat, and answers with ids and bytes in turn.
    ///
    /// Arguments: worker, queue, how many messages at most (up to ``CommitScript/maxUnpack``), after how many bytes
    /// no further message is taken. An id without a message is left behind by a repair and dropped. If some of them came
    /// back, a list follows: the place of each, from 0, and how many workers were lost over it.
    static let fetch = RedisScript(
        """
        local namespace, worker, queue = KEYS[1], ARGV[1], ARGV[2]
        local list = namespace .. ':' .. queue
        local ids = redis.call('LRANGE', list, 0, ARGV[3] - 1)
        if #ids == 0 then return ids end
        local messages = redis.call('HMGET', list .. '.msgs', unpack(ids))
        local marks = namespace .. ':__redelivered__.' .. queue
        local crashes = redis.call('EXISTS', marks) == 1 and redis.call('HMGET', marks, unpack(ids))
        local reply, kept, returned, size, taken = {}, {}, {}, 0, #ids
        for i, id in ipairs(ids) do
          local message = messages[i]
          if message then
            size = size + #message
            if #kept > 0 and size > tonumber(ARGV[4]) then
              taken = i - 1
              break
            end
            kept[#kept + 1] = id
            reply[#reply + 1] = id
            reply[#reply + 1] = message
            if crashes and crashes[i] then
              returned[#returned + 1] = #kept - 1
              returned[#returned + 1] = crashes[i]
            end
          end
        end
        if #returned > 0 then reply[#reply + 1] = returned end
        local acks, heartbeats = namespace .. ':__acks__.' .. worker .. '.' .. queue, namespace .. ':__heartbeats__'
        -- Keys of another type are found before anything is written.
        redis.call('SCARD', acks)
        redis.call('ZSCORE', heartbeats, worker)
        redis.call('LTRIM', list, taken, -1)
        if #kept > 0 then
          local time = redis.call('TIME')
          redis.call('SADD', acks, unpack(kept))
          redis.call('ZADD', heartbeats, string.format('%d', time[1] * 1000 + time[2] / 1000), worker)
        end
        return reply
        """)

    /// Takes some of a worker's ids, or the given ones, back to their queue, and answers how many it had.
    ///
    /// Arguments: worker, queue, how many at most, how long the worker must have been silent in milliseconds (or empty:
    /// it asks itself), `LPUSH` or `RPUSH`, for how many milliseconds it is known at least that they came back (or empty:
    /// not at all), ids (none: any). Answers -1 if the worker was not silent.
    static let returnToQueue = RedisScript(
        """
        local namespace, worker, queue, limit, silence, push = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
        if silence ~= '' then
          local time = redis.call('TIME')
          local heard = redis.call('ZSCORE', namespace .. ':__heartbeats__', worker)
          if heard and time[1] * 1000 + time[2] / 1000 - heard < tonumber(silence) then return -1 end
        end
        local taken = namespace .. ':__acks__.' .. worker .. '.' .. queue
        local list, marks, ttl = namespace .. ':' .. queue, namespace .. ':__redelivered__.' .. queue, ARGV[6]
        -- Keys of another type are found before anything is written.
        redis.call('LLEN', list)
        redis.call('HLEN', list .. '.msgs')
        redis.call('HLEN', marks)
        local ids = {}
        if #ARGV > 6 then
          for i = 7, #ARGV do
            if redis.call('SREM', taken, ARGV[i]) == 1 then ids[#ids + 1] = ARGV[i] end
          end
        else
          ids = redis.call('SPOP', taken, limit)
        end
        for _, id in ipairs(ids) do
          if redis.call('HEXISTS', list .. '.msgs', id) == 1 then
            redis.call(push, list, id)
            if ttl ~= '' and redis.call('HEXISTS', marks, id) == 0 then redis.call('HSET', marks, id, 0) end
          end
        end
        if ttl ~= '' then redis.call('PEXPIRE', marks, ttl) end
        return #ids
        """)

    /// Notes how many workers are lost over a message that came back if the one that has it is lost, too. Answers 0 if
    /// that doesn't have it.
    ///
    /// Arguments: what follows `__acks__.` for it, queue, id, the number, for how many milliseconds it is known at least.
    static let note = RedisScript(
        """
        local namespace, id = KEYS[1], ARGV[3]
        local marks = namespace .. ':__redelivered__.' .. ARGV[2]
        redis.call('HDEL', marks, '')
        if redis.call('SISMEMBER', namespace .. ':__acks__.' .. ARGV[1], id) == 0 then return 0 end
        redis.call('HSET', marks, id, ARGV[4])
        redis.call('PEXPIRE', marks, ARGV[5])
        return 1
        """)

    /// Shows that workers are alive, and answers how many ids each has of each of its queues.
    ///
    /// Arguments: the transport's id and how many milliseconds its records are kept, how many workers and their ids,
    /// then what follows `__acks__.` for each that is counted.
    static let heartbeat = RedisScript(
        """
        local namespace = KEYS[1]
        redis.call('PEXPIRE', namespace .. ':__commits__.' .. ARGV[1], ARGV[2])
        local time = redis.call('TIME')
        local now = string.format('%d', time[1] * 1000 + time[2] / 1000)
        local workers = tonumber(ARGV[3])
        for i = 4, 3 + workers do redis.call('ZADD', namespace .. ':__heartbeats__', now, ARGV[i]) end
        local counts = {}
        for i = 4 + workers, #ARGV do counts[#counts + 1] = redis.call('SCARD', namespace .. ':__acks__.' .. ARGV[i]) end
        return counts
        """)

    /// Lets one worker at a time look for dead ones, and answers with their ids.
    ///
    /// Arguments: the transport's id, for how many milliseconds nobody else shall look, after how many a silent worker
    /// is dead.
    static let findDead = RedisScript(
        """
        local namespace = KEYS[1]
        redis.call('HDEL', namespace .. ':__commits__.' .. ARGV[1], '')
        if not redis.call('SET', namespace .. ':__reaper__', ARGV[1], 'NX', 'PX', ARGV[2]) then return {} end
        local time = redis.call('TIME')
        local limit = string.format('%d', time[1] * 1000 + time[2] / 1000 - ARGV[3])
        return redis.call('ZRANGEBYSCORE', namespace .. ':__heartbeats__', '-inf', limit, 'LIMIT', 0, 100)
        """)

    /// Forgets a worker that holds nothing, unless it was heard.
    ///
    /// Arguments: worker, after how many milliseconds a silent one is dead (or 0: it leaves by itself), what follows
    /// `__acks__.` for all that it may hold.
    static let forgetWorker = RedisScript(
        """
        local namespace, worker = KEYS[1], ARGV[1]
        local time = redis.call('TIME')
        local heard = redis.call('ZSCORE', namespace .. ':__heartbeats__', worker)
        if not heard or time[1] * 1000 + time[2] / 1000 - heard < tonumber(ARGV[2]) then return 0 end
        for i = 3, #ARGV do
          if redis.call('EXISTS', namespace .. ':__acks__.' .. ARGV[i]) == 1 then return 0 end
        end
        return redis.call('ZREM', namespace .. ':__heartbeats__', worker)
        """)

    /// Removes dead letters that are older than a number of milliseconds, and answers how many.
    ///
    /// Arguments: the name of the dead-letter queue, the age, how many at most.
    static let expireDeadLetters = RedisScript(
        """
        local name = KEYS[1] .. ':' .. ARGV[1]
        local time = redis.call('TIME')
        local limit = string.format('%d', time[1] * 1000 + time[2] / 1000 - ARGV[2])
        local ids = redis.call('ZRANGEBYSCORE', name, '-inf', limit, 'LIMIT', 0, ARGV[3])
        redis.call('HLEN', name .. '.msgs')
        for _, id in ipairs(ids) do
          redis.call('ZREM', name, id)
          redis.call('HDEL', name .. '.msgs', id)
          redis.call('UNLINK', name .. '.reason.' .. id)
        end
        return #ids
        """)

    /// Removes messages that wait, and answers how many there were.
    ///
    /// Arguments: queue, how many at most (up to ``CommitScript/maxUnpack``).
    static let flush = RedisScript(
        """
        local list = KEYS[1] .. ':' .. ARGV[1]
        redis.call('HLEN', list .. '.msgs')
        local ids = redis.call('LRANGE', list, 0, ARGV[2] - 1)
        if #ids == 0 then return 0 end
        redis.call('HLEN', KEYS[1] .. ':__redelivered__.' .. ARGV[1])
        redis.call('LTRIM', list, #ids, -1)
        redis.call('HDEL', KEYS[1] .. ':__redelivered__.' .. ARGV[1], unpack(ids))
        return redis.call('HDEL', list .. '.msgs', unpack(ids))
        """)

    /// Removes all delayed messages, those included that workers hold until they are due, and answers how many there
    /// were. `ARGV[1]` is the queue.
    static let flushDelayed = RedisScript(
        """
        local list = KEYS[1] .. ':' .. ARGV[1] .. '.DQ'
        redis.call('LLEN', list)
        local count = redis.call('HLEN', list .. '.msgs')
        redis.call('UNLINK', list, list .. '.msgs')
        return count
        """)

    /// Answers how many messages wait, how many there are, how many are delayed and dead, the next one's bytes, when the
    /// oldest dead letter became one, and the names and types of keys that hold something else than what belongs there;
    /// these count as empty. `ARGV[1]` is the queue.
    static let status = RedisScript(
        """
        local list, foreign = KEYS[1] .. ':' .. ARGV[1], {}
        local function count(command, key, kind)
          local found = redis.call('TYPE', key).ok
          if found == 'none' then return 0 end
          if found == kind then return redis.call(command, key) end
          foreign[#foreign + 1] = key
          foreign[#foreign + 1] = found
          return 0
        end
        local waiting, messages = count('LLEN', list, 'list'), count('HLEN', list .. '.msgs', 'hash')
        count('LLEN', list .. '.DQ', 'list')
        local delayed, dead = count('HLEN', list .. '.DQ.msgs', 'hash'), count('ZCARD', list .. '.XQ', 'zset')
        count('HLEN', list .. '.XQ.msgs', 'hash')
        local message, oldest = false, false
        if waiting > 0 and messages > 0 then
          message = redis.call('HGET', list .. '.msgs', redis.call('LINDEX', list, 0))
        end
        if dead > 0 then oldest = redis.call('ZRANGE', list .. '.XQ', 0, 0, 'WITHSCORES')[2] end
        return { waiting, messages, delayed, dead, message, oldest, foreign }
        """)

    /// Looks at some keys of the database, as `SCAN` does. `KEYS[1]` is one that lies where they do. Arguments: the cursor
    /// and the pattern.
    static let scan = RedisScript(
        "return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000)")

    /// Answers with the workers' ids and when each was heard.
    static let workers = RedisScript(
        "return redis.call('ZREVRANGE', KEYS[1] .. ':__heartbeats__', 0, -1, 'WITHSCORES')")
}
