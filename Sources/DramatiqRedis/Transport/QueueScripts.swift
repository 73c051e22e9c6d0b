/// The scripts by which a worker takes messages, returns them and shows that it is alive.
///
/// Each begins with a write that needs no memory, so that a server whose memory is full doesn't refuse it: a worker
/// that could not be heard would lose its messages to others.
enum QueueScripts {
    /// Moves ids from a queue to the worker's, which has a heartbeat from then on, and answers with ids and bytes in turn.
    ///
    /// Arguments: worker, queue, how many messages at most (up to ``CommitScript/maxUnpack``), after how many bytes
    /// no further message is taken. An id without a message is left behind by a repair and dropped. If some of them came
    /// back, a list follows: the place of each, from 0, and how many workers were lost over it. Answers `PAUSED`
    /// if there are messages and the queue is paused.
    static let fetch = RedisScript(
        """
        local namespace, worker, queue = KEYS[1], ARGV[1], ARGV[2]
        local list = namespace .. ':' .. queue
        local ids = redis.call('LRANGE', list, 0, ARGV[3] - 1)
        if #ids == 0 then return ids end
        if redis.call('SISMEMBER', namespace .. ':__paused__', queue) == 1 then
          return redis.status_reply('PAUSED')
        end
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
        local is_known = redis.call('ZSCORE', heartbeats, worker)
        redis.call('LTRIM', list, taken, -1)
        if #kept > 0 then
          redis.call('SADD', acks, unpack(kept))
          if not is_known then
            local time = redis.call('TIME')
            redis.call('ZADD', heartbeats, string.format('%d', time[1] * 1000 + time[2] / 1000), worker)
          end
        end
        return reply
        """)

    /// Takes some of a worker's ids, or the given ones, back to their queue, and answers how many it had.
    ///
    /// Arguments: worker, queue, how many at most, the heartbeat that the worker must still have (or empty: it asks
    /// itself), `LPUSH` or `RPUSH`, for how many milliseconds it is known at least that they came back (or empty:
    /// not at all), ids (none: any). Answers -1 if the worker was heard meanwhile.
    static let returnToQueue = RedisScript(
        """
        local namespace, worker, queue, limit, heard, push = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
        if heard ~= '' then
          local last = redis.call('ZSCORE', namespace .. ':__heartbeats__', worker)
          if last and last ~= heard then return -1 end
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

    /// Notes how many workers are lost over messages that came back if the one that has them is lost, too. Answers how
    /// many of them it has.
    ///
    /// Arguments: what follows `__acks__.` for it, queue, for how many milliseconds it is known at least, and each id with
    /// its number.
    static let note = RedisScript(
        """
        local namespace, count = KEYS[1], 0
        local taken, marks = namespace .. ':__acks__.' .. ARGV[1], namespace .. ':__redelivered__.' .. ARGV[2]
        redis.call('HDEL', marks, '')
        for i = 4, #ARGV, 2 do
          if redis.call('SISMEMBER', taken, ARGV[i]) == 1 then
            redis.call('HSET', marks, ARGV[i], ARGV[i + 1])
            count = count + 1
          end
        end
        if count > 0 then redis.call('PEXPIRE', marks, ARGV[3]) end
        return count
        """)

    /// Removes some of what is noted about messages that are gone, and answers with the next cursor.
    ///
    /// Arguments: queue, the cursor.
    static let sweepRedelivered = RedisScript(
        """
        local marks = KEYS[1] .. ':__redelivered__.' .. ARGV[1]
        redis.call('HDEL', marks, '')
        local page = redis.call('HSCAN', marks, ARGV[2], 'COUNT', 500)
        for i = 1, #page[2], 2 do
          local id = page[2][i]
          if redis.call('HEXISTS', KEYS[1] .. ':' .. ARGV[1] .. '.msgs', id) == 0 then redis.call('HDEL', marks, id) end
        end
        return page[1]
        """)

    /// Shows that workers are alive, and answers how many ids each has of each of its queues.
    ///
    /// The heartbeat is the time of the server or of the worker, whichever is later. Workers of Python compare it with
    /// their own: so it is enough if that agrees with one of the two.
    ///
    /// Arguments: the transport's id and how many milliseconds its records are kept, the worker's time in milliseconds since
    /// 1970, how many workers and their ids, then what follows `__acks__.` for each that is counted.
    static let heartbeat = RedisScript(
        """
        local namespace = KEYS[1]
        redis.call('PEXPIRE', namespace .. ':__commits__.' .. ARGV[1], ARGV[2])
        local time = redis.call('TIME')
        local now = string.format('%d', math.max(tonumber(ARGV[3]), time[1] * 1000 + time[2] / 1000))
        local workers = tonumber(ARGV[4])
        for i = 5, 4 + workers do redis.call('ZADD', namespace .. ':__heartbeats__', now, ARGV[i]) end
        local counts = {}
        for i = 5 + workers, #ARGV do counts[#counts + 1] = redis.call('SCARD', namespace .. ':__acks__.' .. ARGV[i]) end
        return counts
        """)

    /// Answers with the workers' ids and their heartbeats, the earliest first.
    static let heartbeats = RedisScript(
        "return redis.call('ZRANGEBYSCORE', KEYS[1] .. ':__heartbeats__', '-inf', 'inf', 'WITHSCORES')")

    /// Lets one worker at a time return what dead ones hold, and answers whether it is this one.
    ///
    /// Arguments: the transport's id, for how many milliseconds nobody else shall do it. One that has longer to go than
    /// that comes from before the server's clock was set back.
    static let leaseReaper = RedisScript(
        """
        local namespace, time = KEYS[1], tonumber(ARGV[2])
        redis.call('HDEL', namespace .. ':__commits__.' .. ARGV[1], '')
        local left = redis.call('PTTL', namespace .. ':__reaper__')
        if left >= 0 and left <= time then return 0 end
        redis.call('SET', namespace .. ':__reaper__', ARGV[1], 'PX', time)
        return 1
        """)

    /// Forgets a worker that holds nothing, unless it was heard.
    ///
    /// Arguments: worker, the heartbeat that it must still have (or empty: it leaves by itself), what follows `__acks__.`
    /// for all that it may hold.
    static let forgetWorker = RedisScript(
        """
        local namespace, worker = KEYS[1], ARGV[1]
        local heard = redis.call('ZSCORE', namespace .. ':__heartbeats__', worker)
        if not heard or ARGV[2] ~= '' and heard ~= ARGV[2] then return 0 end
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
        redis.call('UNLINK', list, list .. '.msgs', KEYS[1] .. ':__redelivered__.' .. ARGV[1] .. '.DQ')
        return count
        """)

    /// Pauses a queue, also on a server whose memory is full. `ARGV[1]` is the queue.
    static let pause = RedisScript(
        """
        local paused = KEYS[1] .. ':__paused__'
        redis.call('SREM', paused, '')
        return redis.call('SADD', paused, ARGV[1])
        """)

    /// Answers how many messages wait, how many there are, how many are delayed and dead, the next one's bytes, when the
    /// oldest dead letter became one, the names and types of keys that hold something else than what belongs there, which
    /// count as empty, and whether the queue is paused. `ARGV[1]` is the queue.
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
        local paused = KEYS[1] .. ':__paused__'
        local is_paused = count('SCARD', paused, 'set') > 0 and redis.call('SISMEMBER', paused, ARGV[1]) or 0
        local message, oldest = false, false
        if waiting > 0 and messages > 0 then
          message = redis.call('HGET', list .. '.msgs', redis.call('LINDEX', list, 0))
        end
        if dead > 0 then oldest = redis.call('ZRANGE', list .. '.XQ', 0, 0, 'WITHSCORES')[2] end
        return { waiting, messages, delayed, dead, message, oldest, foreign, is_paused }
        """)

    /// Answers with how many messages of some queues are not finished, delayed ones included. Arguments: the queues.
    static let unfinished = RedisScript(
        """
        local count = 0
        for _, queue in ipairs(ARGV) do
          local list = KEYS[1] .. ':' .. queue
          count = count + redis.call('HLEN', list .. '.msgs') + redis.call('HLEN', list .. '.DQ.msgs')
        end
        return count
        """)

    /// Looks at some keys of the database, as `SCAN` does. `KEYS[1]` is one that lies where they do. Arguments: the cursor
    /// and the pattern.
    static let scan = RedisScript(
        "return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000)")

    /// Answers with the workers' ids and when each was heard.
    static let workers = RedisScript(
        "return redis.call('ZREVRANGE', KEYS[1] .. ':__heartbeats__', 0, -1, 'WITHSCORES')")
}
