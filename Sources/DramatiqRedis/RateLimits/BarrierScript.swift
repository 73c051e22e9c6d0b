import Dramatiq

/// A workflow's barriers in Redis: the part that the scripts of the transport and of the rate limiter backend share.
///
/// The keys are dramatiq-workflow's, so that Python's workers can take part:
///
/// | key | holds |
/// |-|-|
/// | `<id>` | parties left; stays at 1 when the last one has come |
/// | `<id>_ran` | -1 until the barrier is released, 0 after |
/// | `<id>_arrived` | ours: a set of who has come, with a mark once the last one has, and one if it counts on and doesn't open: see ``GroupScript`` |
///
/// Python counts arrivals without names, by decrementing `<id>`. An arrival that we record decrements it as well, so
/// both see how many are left; what is `released` is decided by `<id>_ran` alone, which both write in one step.
///
/// A completion id comes out of a message, and may name a key of another application's. So nothing is changed unless a
/// barrier stands there: beside a count from 1 up there is `<id>_ran` with a whole number, which both make before the
/// count. A barrier without that key (``StateCommit`` of dramatiq's plain `Barrier`) is a count from 1 up that expires.
enum BarrierScript {
    /// How long a released barrier is remembered at most, in milliseconds: 15 minutes, for which Python keeps it too.
    static let releasedTTL = 900_000
    /// The longest time for which a key can be kept, in milliseconds: a hundred years.
    static let longestDuration = Duration.longestForRedis.redisMilliseconds

    /// Defines `use_barriers()`, which has `read()`, which reads a ``StateCommit`` from the script's arguments, and
    /// `commit(steps)`, which does it and returns `committed`, `opened`, `waiting`, `released` or `lost <key>`. Nothing is
    /// written before everything is looked at. `write_runs()` has to follow once all are committed. Expects `at`, the place
    /// of the latest argument, and `take()`, the next one.
    ///
    /// Functions are made when they are first needed: a script makes all of its own anew each time that it runs, and that
    /// takes as long as what they do.
    static let functions = """
        local use_barriers
        \(RunScript.functions)

        local barriers
        use_barriers = function()
          if barriers then return barriers end
          local complete_mark = '\\0complete'
          local group_suffix = '\(BarrierKey.groupSuffix)'
          local run_suffix = '\(RunStep.idSuffix)'
          -- For how long barriers were kept in this run.
          local kept = {}
          local use_groups

          -- A number of milliseconds for which a key can be kept. Redis would refuse others in the middle of a step.
          local function duration(text)
            local milliseconds = tonumber(text)
            if not milliseconds or milliseconds < 1 or milliseconds > \(longestDuration) then
              error('Nothing can be kept for ' .. text .. ' ms')
            end
            return milliseconds
          end

          local function read_barrier()
            return { key = take(), ran = take(), ttl = duration(take()) }
          end

          local function read_barriers()
            local steps = { releases = {}, creations = {}, refreshes = {} }
            for i = 1, tonumber(take()) do steps.releases[i] = read_barrier() end
            local arrival = take()
            if arrival ~= '' then
              steps.arrival = read_barrier()
              steps.arrival.party = take()
              steps.arrival.releases = arrival == 'r'
              if arrival ~= 'r' and arrival ~= 'h' then steps.arrival.added = tonumber(arrival) end
            end
            for i = 1, tonumber(take()) do
              steps.creations[i] = read_barrier()
              steps.creations[i].parties = take()
            end
            for i = 1, tonumber(take()) do steps.refreshes[i] = read_barrier() end
            if ARGV[at + 1] == '' then at = at + 1 else steps.run = use_runs().read() end
            return steps
          end

          local function whole(text)
            return text and #text < 16 and string.match(text, '^%-?%d+$') and tonumber(text)
          end

          -- How many parties are left, or 'released', or 'lost', also where something else stands than a barrier.
          local function look_at(barrier)
            local value
            if barrier.ran == '' then
              value = redis.call('GET', barrier.key)
              if value and redis.call('PTTL', barrier.key) < 0 then return 'lost' end
            else
              local values = redis.call('MGET', barrier.key, barrier.ran)
              local ran = whole(values[2])
              if not ran then return 'lost' end
              if ran >= 0 then
                if redis.call('SISMEMBER', barrier.key .. '_arrived', '\(GroupScript.closedMark)') == 0 then return 'released' end
                barrier.is_closed = true
              end
              value = values[1]
            end
            local left = whole(value)
            return left and left >= 1 and left or 'lost'
          end

          -- has_arrivals is false if there is known to be no record of who has come.
          local function release(barrier, has_arrivals)
            if barrier.ran == '' then
              redis.call('SET', barrier.key, '1', 'PX', barrier.ttl)
            else
              local ttl = math.min(barrier.ttl, \(releasedTTL))
              redis.call('SET', barrier.key, '1', 'PX', ttl)
              redis.call('SET', barrier.ran, '0', 'PX', ttl)
            end
            if has_arrivals then redis.call('UNLINK', barrier.key .. '_arrived') end
            if string.sub(barrier.key, -#group_suffix) == group_suffix then redis.call('UNLINK', barrier.key .. '_failed') end
            kept[barrier.key] = nil
          end

          -- Sees to it that a barrier is kept for its time, to within an hour, and never for less than before. Once is
          -- enough, since a run of the script takes no time that matters, unless the first party is yet to come: what
          -- records it has no time of its own before.
          local function keep(barrier)
            local ttl = barrier.ttl
            if (kept[barrier.key] or 0) >= ttl then return end
            kept[barrier.key] = ttl
            local arrived = barrier.key .. '_arrived'
            local left = redis.call('PTTL', barrier.key)
            if left == -2 then return end
            if left >= 0 and left < ttl - math.min(ttl / 16, 3600000) then
              if look_at(barrier) == 'lost' then return end
              redis.call('PEXPIRE', barrier.key, ttl)
              if barrier.ran ~= '' then redis.call('PEXPIRE', barrier.ran, ttl) end
              if redis.call('PEXPIRE', arrived, ttl) == 0 then kept[barrier.key] = nil end
              if string.sub(barrier.key, -#group_suffix) == group_suffix then
                redis.call('PEXPIRE', barrier.key .. '_failed', ttl)
              end
              if string.sub(barrier.key, -#run_suffix) == run_suffix then
                use_runs().endings().keep(barrier.key, ttl)
              end
            elseif left >= 0 then
              local has = redis.call('PTTL', arrived)
              if has == -1 and look_at(barrier) ~= 'lost' then redis.call('PEXPIRE', arrived, left) end
              if has == -2 then kept[barrier.key] = nil end
            end
          end

          -- Counts a party that has not come before. Returns whether all have come, whether it is recorded who, and whether it
          -- had not come.
          local function arrive(arrival, left)
            local arrived = arrival.key .. '_arrived'
            local is_complete, is_new = false, false
            -- A run's barrier has one party, which is recorded nowhere.
            local is_run = arrival.releases and string.sub(arrival.key, -#run_suffix) == run_suffix
            if left <= 1 and (is_run or redis.call('EXISTS', arrived) == 0) then
              -- The only party of a chain's step, or the last one after others without a name.
              is_complete, is_new = true, true
              if arrival.releases and not arrival.is_closed then return true, false, true end
              redis.call('SADD', arrived, complete_mark)
            elseif left <= 1 and redis.call('SISMEMBER', arrived, complete_mark) == 1 then
              is_complete = true
            elseif redis.call('SADD', arrived, arrival.party) == 1 then
              is_new = true
              if left <= 1 then
                is_complete = true
                redis.call('SADD', arrived, complete_mark)
              else
                redis.call('DECR', arrival.key)
              end
            end
            keep(arrival)
            if not is_new and string.sub(arrival.key, -#group_suffix) == group_suffix then
              -- Its message was requeued, and has succeeded.
              use_groups().take_back(arrival.key, arrival.party, true)
            end
            return is_complete, true, is_new
          end

          -- Counts a party that has not come before and is followed by others. Returns whether it had not.
          local function arrive_adding(arrival)
            local arrived = arrival.key .. '_arrived'
            if redis.call('SISMEMBER', arrived, complete_mark) == 1 then return false end
            if redis.call('SADD', arrived, arrival.party) == 0 then return false end
            if arrival.added > 1 then redis.call('DECRBY', arrival.key, 1 - arrival.added) end
            if string.sub(arrival.key, -#group_suffix) == group_suffix then use_groups().extend(arrival.key, arrival.added) end
            keep(arrival)
            return true
          end

          -- Returns what it came to, and whether a party has arrived that had before.
          local function change_barriers(steps)
            local is_released = false
            for i, barrier in ipairs(steps.releases) do
              local state = look_at(barrier)
              if state == 'lost' then return 'lost ' .. barrier.key end
              if state == 'released' then is_released = true end
            end
            if is_released then return 'released' end
            local arrival = steps.arrival
            local result, is_repeated = 'committed', false
            if arrival then
              local left = look_at(arrival)
              if left == 'lost' then return 'lost ' .. arrival.key end
              if left == 'released' then
                result = 'released'
              elseif arrival.added then
                if not arrive_adding(arrival) then return 'released', true end
              else
                local is_complete, has_arrivals, is_new = arrive(arrival, left)
                is_repeated = not is_new
                if is_complete and arrival.is_closed then
                  result = 'waiting'
                elseif is_complete and not arrival.releases then
                  return 'opened'
                elseif is_complete then
                  release(arrival, has_arrivals)
                elseif arrival.releases then
                  result = 'waiting'
                end
              end
            end
            for _, barrier in ipairs(steps.releases) do release(barrier, true) end
            if result ~= 'committed' then return result, is_repeated end
            for _, barrier in ipairs(steps.creations) do
              if barrier.ran == '' then
                barrier.is_new = redis.call('SET', barrier.key, barrier.parties, 'PX', barrier.ttl, 'NX')
              else
                barrier.is_new = redis.call('SET', barrier.ran, '-1', 'PX', barrier.ttl, 'NX')
                if barrier.is_new or redis.call('GET', barrier.ran) == '-1' then
                  redis.call('SET', barrier.key, barrier.parties, 'PX', barrier.ttl, 'NX')
                end
              end
            end
            for _, barrier in ipairs(steps.refreshes) do keep(barrier) end
            return result, is_repeated
          end

        \(GroupScript.functions)

          local function commit_barriers(steps)
            local run = steps.run
            if run then use_runs().look_at(run, steps) end
            if run and run.returned and not use_runs().endings().stops().can_give_back(run) then return 'released' end
            if run and run.cancels and not use_runs().endings().stops().can_cancel(run) then return 'released' end
            local verdict = run and use_runs().verdict(run, steps)
            if run and run.group_failures and not verdict then verdict = use_groups().verdict(run.group_failures) end
            if verdict then
              if verdict == 'released' then use_runs().note(run, steps, false) end
              return verdict
            end
            local result, is_repeated = change_barriers(steps)
            if run and run.group_failures and (result == 'committed' or result == 'waiting') then
              use_groups().note(run.group_failures)
            end
            -- What has come before was counted then.
            if run and not is_repeated and (result == 'committed' or result == 'waiting') then
              use_runs().note(run, steps, result == 'committed')
            end
            return result
          end

          barriers = {
            read = read_barriers, read_one = read_barrier, commit = commit_barriers, look_at = look_at, keep = keep,
            duration = duration, groups = use_groups,
          }
          return barriers
        end

        local function write_runs()
          if runs then runs.write() end
        end
        """
}

extension RedisCommand {
    /// Adds what `read_barriers()` reads.
    mutating func append(_ steps: StateCommit) {
        append(steps.releases.count)
        for barrier in steps.releases { append(barrier) }
        if let arrival = steps.arrival {
            if arrival.added > 0 { append(arrival.added) } else { append(arrival.releases ? "r" : "h") }
            append(arrival.barrier)
            append(arrival.party)
        } else {
            append("")
        }
        append(steps.creations.count)
        for creation in steps.creations {
            append(creation.barrier)
            append(creation.parties)
        }
        append(steps.refreshes.count)
        for barrier in steps.refreshes { append(barrier) }
        append(steps.run)
    }

    /// Adds what `read_barrier()` reads.
    mutating func append(_ barrier: BarrierKey) {
        append(barrier.key)
        append(barrier.releaseKey ?? "")
        append(barrier.ttl.redisMilliseconds)
    }
}
