import Dramatiq

/// What is stored for runs alone, and goes when they have ended: see ``RunScript``.
extension RedisRateLimiterBackend {
    /// Whether the run `KEYS[1]` is over, by its record, or by its barrier if there is none any more.
    private static let isOver = RedisScript(
        """
        local state = redis.pcall('HGET', KEYS[1] .. '_state', 'state')
        if type(state) == 'string' then return (state == 'succeeded' or state == 'cancelled') and 1 or 0 end
        local ran = redis.pcall('GET', KEYS[1] .. '_ran')
        return type(ran) == 'string' and (tonumber(ran) or -1) >= 0 and 1 or 0
        """)

    /// Hands out what is stored elsewhere for the run `KEYS[1]` if nothing of it needs that any more, and removes what is
    /// stored here.
    private static let takeContents = RedisScript(
        """
        local id = KEYS[1]
        local key = id .. '_stored'
        local stored = redis.pcall('SRANDMEMBER', key, \(2 * RunLimits.maxContents))
        if stored.err or #stored == 0 then return {} end
        local fields = redis.pcall('HGETALL', id .. '_state')
        if fields.err then return {} end
        local values = {}
        for i = 1, #fields, 2 do values[fields[i]] = fields[i + 1] end
        if values.state == 'cancelled' then
          if (tonumber(values.failed or '0') or 0) > 0 then return {} end
          -- How many are in a queue or being processed: see RunTaskCounts.
          for name, sent in pairs(values) do
            local actor = string.match(name, '^sent:(.*)$')
            if actor then
              local left = tonumber(sent) or 0
              for _, kind in ipairs({ 'succeeded', 'failed', 'skipped', 'held' }) do
                left = left - (tonumber(values[kind .. ':' .. actor] or '0') or 0)
              end
              if left > 0 then return {} end
            end
          end
        elseif not values.state then
          -- It was forgotten, since it has ended and there are many others.
          local ran = redis.pcall('GET', id .. '_ran')
          if type(ran) ~= 'string' or (tonumber(ran) or -1) < 0 then return {} end
        elseif values.state ~= 'succeeded' then
          return {}
        end
        redis.call('UNLINK', key)
        local others = {}
        for _, content in ipairs(stored) do
          local name = string.sub(content, 2)
          if string.sub(content, 1, 1) == 'k' then redis.pcall('UNLINK', name) else others[#others + 1] = name end
        end
        return others
        """)

    /// - Throws: ``RedisError``.
    public func isOver(_ id: String) async throws -> Bool {
        try await executor.evaluate(Self.isOver, keys: [id]).boolean()
    }

    /// - Throws: ``RedisError``.
    public func takeContents(of ids: [String]) async throws -> [String] {
        let replies = try await executor.pipeline(ids.map { RedisCommand(Self.takeContents, keys: [$0]) })
        var contents: [String] = []
        for reply in replies { contents += try reply.get().array().map { try $0.string() } }
        return contents
    }
}
