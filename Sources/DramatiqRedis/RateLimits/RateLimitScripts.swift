/// The scripts of the rate limiter backend.
enum RateLimitScripts {
    /// Adds to a key within bounds, as Python's optimistic transactions do.
    ///
    /// `KEYS[1]` is the key; if there are more, the values of those and the amount together must not be more than the
    /// maximum. Arguments: amount, ttl in milliseconds, minimum and maximum (each may be empty).
    static let add = RedisScript(
        """
        local amount, minimum, maximum = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
        local numbers = {}
        for i, key in ipairs(KEYS) do
          numbers[i] = tonumber(redis.call('GET', key) or '0')
          if not numbers[i] then return redis.error_reply('ERR Key ' .. key .. ' holds something else than a number') end
        end
        local value = numbers[1] + amount
        if minimum and value < minimum or maximum and value > maximum then return 0 end
        if #KEYS > 1 then
          local sum = amount
          for i = 2, #KEYS do sum = sum + numbers[i] end
          if sum > maximum then return 0 end
        end
        redis.call('SET', KEYS[1], string.format('%.0f', value), 'PX', ARGV[2])
        return 1
        """)

    /// Takes a place at the counter `KEYS[1]`, as Python does with `add` and `incr`, and notes it in the holder's key
    /// `KEYS[2]`: 1 while it is taken, 0 once it is given back. Taking it again changes nothing.
    ///
    /// Arguments: how many places there are, ttl of the counter and of the holder's key in milliseconds.
    static let acquire = RedisScript(
        """
        local held = redis.call('GET', KEYS[2])
        if held then return tonumber(held) end
        local value = tonumber(redis.call('GET', KEYS[1]) or '0') + 1
        if value > tonumber(ARGV[1]) then return 0 end
        redis.call('SET', KEYS[1], string.format('%.0f', value), 'PX', ARGV[2])
        redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
        return 1
        """)

    /// Gives back the place that was taken at `KEYS[1]` with the holder's key `KEYS[2]`. Doing so again changes nothing.
    ///
    /// Arguments: ttl of the counter and of the holder's key in milliseconds.
    static let release = RedisScript(
        """
        if redis.call('GET', KEYS[2]) == '0' then return 0 end
        local value = tonumber(redis.call('GET', KEYS[1]) or '0') - 1
        redis.call('SET', KEYS[2], '0', 'PX', ARGV[2])
        if value < 0 then return 0 end
        redis.call('SET', KEYS[1], string.format('%.0f', value), 'PX', ARGV[1])
        return 1
        """)

    /// Notifies those that wait on `KEYS[1]`, also those that begin to within `ARGV[1]` milliseconds.
    static let notify = RedisScript(
        """
        redis.call('RPUSH', KEYS[1], 'x')
        redis.call('PEXPIRE', KEYS[1], ARGV[1])
        """)

    /// Takes barrier steps: see ``BarrierScript``. Beside `<id>_ran` it keeps `<id>_by`: the party whose arrival
    /// released the barrier.
    static let commit = RedisScript(
        """
        local at = 0
        local function take()
          at = at + 1
          return ARGV[at]
        end

        \(BarrierScript.functions)

        local steps = use_barriers().read()
        local arrival = steps.arrival
        if arrival and arrival.releases and redis.call('GET', arrival.key .. '_by') == arrival.party then
          return 'committed'
        end
        local result = use_barriers().commit(steps)
        write_runs()
        if result == 'committed' and arrival and arrival.releases then
          redis.call('SET', arrival.key .. '_by', arrival.party, 'PX', math.min(arrival.ttl, \(BarrierScript.releasedTTL)))
        end
        return result
        """)
}
