import Dramatiq

/// Which members of groups have failed, beside their barriers in Redis: the part of ``BarrierScript`` that does what
/// `RunStep.groupFailures` says.
///
/// | key | holds |
/// |-|-|
/// | `<id>_failed` | a hash: `n` how many parties have failed, `p<party>` because of how many, `m<cause>` which party; `a` how many members were added; `d` which message has decided, and `o` which group has lost a member by that |
///
/// A barrier inside of a member that has failed counts on and doesn't open: to all others it is released, and a mark among who
/// has come says that it is not.
enum GroupScript {
    /// Stands among who has come at a barrier that counts on and doesn't open.
    static let closedMark = "\\0closed"

    /// Defines `use_groups()`, for ``BarrierScript/functions``, whose functions it needs. Made when it is first needed.
    static let functions = """
          local groups
          use_groups = function()
            if groups then return groups end

            local function add(key, field, amount)
              local value = (tonumber(redis.call('HGET', key, field) or '0') or 0) + amount
              redis.call('HSET', key, field, value)
              return value
            end

            -- Has a barrier count on and not open, or open again.
            local function close(key)
              local ttl = redis.call('PTTL', key .. '_ran')
              if ttl <= 0 or redis.call('GET', key .. '_ran') ~= '-1' then return end
              redis.call('SADD', key .. '_arrived', '\(closedMark)')
              if redis.call('PTTL', key .. '_arrived') < ttl then redis.call('PEXPIRE', key .. '_arrived', ttl) end
              redis.call('SET', key .. '_ran', '0', 'PX', ttl)
            end

            local function reopen(key)
              if redis.call('SREM', key .. '_arrived', '\(closedMark)') == 0 then return end
              local ttl = redis.call('PTTL', key .. '_ran')
              if ttl > 0 then redis.call('SET', key .. '_ran', '-1', 'PX', ttl) end
            end

            -- What steps come to that are about groups which lose members; nil if they can be taken. Looks at all that is
            -- written later.
            local function verdict(failures)
              for _, failure in ipairs(failures) do
                local left = look_at(failure)
                if type(left) ~= 'number' then return left == 'released' and left or 'lost ' .. failure.key end
                local failed, arrived = failure.key .. '_failed', failure.key .. '_arrived'
                if failure.decider ~= '' then
                  local decider = redis.call('HGET', failed, 'd')
                  if decider and decider ~= failure.decider then return 'released' end
                else
                  if redis.call('SISMEMBER', arrived, complete_mark) == 1 then return 'opened' end
                  if left <= 1 and redis.call('HEXISTS', failed, 'p' .. failure.party) == 0 then return 'opened' end
                end
                if failure.party ~= '' and failure.party ~= failure.cause then
                  redis.call('SISMEMBER', failure.party .. '_arrived', '')
                end
              end
            end

            local function note(failures)
              for i, failure in ipairs(failures) do
                local failed, arrived = failure.key .. '_failed', failure.key .. '_arrived'
                local left = look_at(failure)
                -- Unless it is released in the same step.
                if type(left) == 'number' then
                  if failure.party ~= '' and redis.call('HSET', failed, 'm' .. failure.cause, failure.party) == 1 then
                    if add(failed, 'p' .. failure.party, 1) == 1 then
                      add(failed, 'n', 1)
                      if redis.call('SISMEMBER', arrived, complete_mark) == 0 and redis.call('SADD', arrived, failure.party) == 1 then
                        if left <= 1 then redis.call('SADD', arrived, complete_mark) else redis.call('DECR', failure.key) end
                      end
                    end
                    if failure.party ~= failure.cause then close(failure.party) end
                  end
                  if failure.decider ~= '' then
                    redis.call('HSET', failed, 'd', failure.decider, 'o', failures[i + 1] and failures[i + 1].key or '')
                  end
                  kept[failure.key] = nil
                  keep(failure)
                  local ttl = redis.call('PTTL', failure.key)
                  if ttl > 0 then redis.call('PEXPIRE', failed, ttl) end
                end
              end
            end

            -- Takes back that a group has lost a member because of something, and what has come of it. Who is there is to come
            -- again unless it is known to have come.
            local function take_back(key, cause, has_come)
              while key ~= '' do
                local failed, arrived = key .. '_failed', key .. '_arrived'
                local party = redis.call('HGET', failed, 'm' .. cause)
                if not party then return end
                redis.call('HDEL', failed, 'm' .. cause)
                if add(failed, 'p' .. party, -1) > 0 then return end
                redis.call('HDEL', failed, 'p' .. party)
                add(failed, 'n', -1)
                if cause ~= party then reopen(party) end
                if not has_come and type(look_at({ key = key, ran = key .. '_ran' })) == 'number' then
                  local was_recorded = redis.call('SREM', arrived, party) == 1
                  -- The last one has left the count at 1.
                  if redis.call('SREM', arrived, complete_mark) == 0 and was_recorded then redis.call('DECRBY', key, -1) end
                end
                local outer = redis.call('HGET', failed, 'o') or ''
                redis.call('HDEL', failed, 'd', 'o')
                key, cause, has_come = outer, key, false
              end
            end

            -- A group has members besides those of its definition.
            local function extend(key, count)
              add(key .. '_failed', 'a', count)
              local ttl = redis.call('PTTL', key)
              if ttl > 0 then redis.call('PEXPIRE', key .. '_failed', ttl) end
            end

            groups = { verdict = verdict, note = note, take_back = take_back, extend = extend }
            return groups
          end
        """

    /// Takes back that groups have lost members because of tasks. `KEYS[1]` is the run's id; the arguments are the tasks.
    static let takeBack = RunScript.script(
        """
        for i = 1, #ARGV do endings.take_back(KEYS[1], ARGV[i]) end
        """)
}
