import Dramatiq

/// The part of the scripts that stops runs in Redis and lets them go on, and the scripts of `RunControl`.
extension RunScript {
    /// Defines `use_stops()`, for `endings` of ``functions``, whose functions it needs. Made when it is first needed.
    static let stops = """
        local stops
        local function use_stops()
          if stops then return stops end

          -- For how long a run is kept, and messages of it may come.
          local function life(record)
            local ttl = redis.call('PTTL', record.key)
            return ttl > 0 and ttl or \(versionTTL)
          end

          -- Tells workers that something has changed about which runs are stopped.
          local function raise_version(index, now)
            local key = index .. '.stopped.version'
            local earlier = redis.pcall('GET', key)
            local version = math.max((type(earlier) == 'string' and tonumber(earlier) or 0) + 1, now)
            redis.pcall('SET', key, string.format('%d', version), 'PX', \(versionTTL))
          end

          -- For twice the time for which the run is kept now: what is put aside of it is kept anew.
          local function stop(run, state, ttl)
            ttl = math.min(2 * ttl, \(BarrierScript.longestDuration))
            local key, now = run.index .. '.stopped.runs', milliseconds()
            local past = string.format('%d', now)
            local old = redis.pcall('ZRANGEBYSCORE', key, '-inf', past, 'LIMIT', 0, \(maxRemoved))
            if #old > 0 then redis.pcall('ZREM', key, unpack(old)) end
            redis.pcall('ZADD', key, string.format('%d', now + ttl), state .. ' ' .. run.id)
            if redis.call('PTTL', key) < ttl then redis.pcall('PEXPIRE', key, ttl) end
            raise_version(run.index, now)
          end

          local function unstop(run, state)
            redis.pcall('ZREM', run.index .. '.stopped.runs', state .. ' ' .. run.id)
            raise_version(run.index, milliseconds())
          end

          -- A run has failed as a whole. What is not begun is put aside.
          local function fail_run(run)
            local state = run.record.values.state
            if state ~= 'running' and state ~= 'paused' then return end
            if state == 'paused' then redis.pcall('ZREM', run.index .. '.stopped.runs', state .. ' ' .. run.id) end
            stop(run, 'failed', life(run.record))
            finish(run, 'failed')
          end

          -- Moves a run on that has not ended, or not for good.
          local function move(run, target)
            local record, values = run.record, run.record.values
            local state, text = values.state, entry(record)
            set(record, 'state', target)
            redis.pcall('ZREM', run.index .. '.' .. state, text)
            redis.pcall('ZADD', run.index .. '.' .. target, values.started, text)
            redis.pcall('PEXPIRE', run.index .. '.' .. target, life(record) + (tonumber(values.retention) or 0))
          end

          -- A run that has failed goes on, and is kept for as long as its barrier again.
          local function revive(run)
            local ttl = redis.call('PTTL', run.id)
            if ttl > life(run.record) then
              for _, suffix in ipairs({ '_state', '_open', '_failures', '_held', '_stored', '_outline' }) do
                redis.pcall('PEXPIRE', run.id .. suffix, ttl)
              end
            end
            move(run, 'running')
            set(run.record, 'ended', '')
            unstop(run, 'failed')
          end

          -- Changes a run's state if it can be changed so. Returns its state.
          local function change(run, transition)
            local record, values = run.record, run.record.values
            local state = values.state
            if not state then return end
            -- Workers of another namespace would not hear of it.
            local own_index = redis.call('HGET', record.key, 'index')
            if own_index and own_index ~= run.index then return end
            if transition == 'pause' and state == 'running' then
              move(run, 'paused')
              stop(run, 'paused', life(record))
            elseif transition == 'resume' and state == 'paused' then
              move(run, 'running')
              unstop(run, state)
            elseif transition == 'retry' and state == 'failed' then
              revive(run)
            elseif transition == 'cancel' and (state == 'running' or state == 'paused' or state == 'failed') then
              local target = 'cancelled'
              -- That of its barrier if it had failed.
              local ttl = math.max(life(record), redis.call('PTTL', run.id))
              local all, held = redis.call('HGETALL', record.key), {}
              for i = 1, #all, 2 do values[all[i]] = all[i + 1] end
              for i = 1, #all, 2 do
                local actor = string.match(all[i], '^held:(.*)$')
                if actor then held[actor] = tonumber(all[i + 1]) end
              end
              for actor, amount in pairs(held) do
                count(record, 'skipped', actor, amount)
                set(record, 'held:' .. actor, 0)
              end
              redis.call('UNLINK', run.id .. '_held', run.id .. '_open')
              redis.pcall('ZREM', run.index .. '.stopped.runs', state .. ' ' .. run.id)
              stop(run, target, ttl)
              finish(run, target)
            end
            return values.state
          end

          -- Puts a message aside. Returns what became of it: see HoldOutcome.
          local function hold(run, message, actor, text)
            local record, key = run.record, run.id .. '_held'
            local state = record.values.state
            if not state then return 'unknown' end
            local has_failed = redis.call('HEXISTS', run.id .. '_failures', message) == 1
            if state == 'running' then
              -- It was revived before, and then something went wrong.
              return has_failed and redis.call('HLEN', key) > 0 and 'revived' or 'running'
            end
            if state ~= 'paused' and state ~= 'failed' then return 'ended' end
            if state == 'failed' and has_failed then
              revive(run)
              endings.take_back(run.id, message)
              return 'revived'
            end
            local ttl = life(record)
            if redis.call('HSET', key, message, text) == 1 then count(record, 'held', actor, 1) end
            redis.call('PEXPIRE', key, ttl)
            return 'held'
          end

          -- Whether a run goes on and has all messages that are to go back to their queues.
          local function can_give_back(run)
            if run.record.values.state ~= 'running' then return false end
            for _, message in ipairs(run.returned) do
              if redis.call('HEXISTS', run.id .. '_held', message.id) == 0 then return false end
            end
            return true
          end

          -- Whether a run is under way in these lists, so that it can be cancelled for the first time.
          local function can_cancel(run)
            local state = run.record.values.state
            if state ~= 'running' and state ~= 'paused' then return false end
            return redis.call('HGET', run.record.key, 'index') == run.index
          end

          local function give_back(run)
            for _, message in ipairs(run.returned) do
              if redis.pcall('HDEL', run.id .. '_held', message.id) == 1 then
                count(run.record, 'held', message.actor, -1)
              end
            end
          end

          stops = {
            unstop = unstop, fail_run = fail_run, change = change, hold = hold, can_give_back = can_give_back,
            can_cancel = can_cancel,
            give_back = give_back,
          }
          return stops
        end
        """

    /// The start of a script for one run, `KEYS[1]`, of whose steps nothing was read.
    ///
    /// `ARGV[1]` is what the lists begin with.
    private static func script(ofRun body: String) -> RedisScript {
        script(
            """
            local run = { id = KEYS[1], index = ARGV[1], sent = {}, outcome = '' }
            \(body)
            """)
    }

    /// Changes a run's state. Arguments after the first one: a `RunTransition`. Answers with its state, which is empty if
    /// there is no run, and the version of what is stopped.
    static let change = script(
        ofRun: """
            runs.look_at(run)
            local state = endings.stops().change(run, ARGV[2])
            runs.write()
            return { state or '', redis.call('GET', run.index .. '.stopped.version') or '0' }
            """)

    /// Puts a message aside. Arguments after the first one: its id, its actor, the text. Answers with a `HoldOutcome`.
    static let hold = script(
        ofRun: """
            run.outcome, run.actor = 'held', ARGV[3]
            runs.look_at(run)
            local outcome = endings.stops().hold(run, ARGV[2], ARGV[3], ARGV[4])
            runs.write()
            return outcome
            """)

    /// Tells a worker which runs are stopped, if that has changed.
    ///
    /// `KEYS[1]` is what the lists begin with. Arguments: the worker, the version that it keeps to, or '', and `1` if that is
    /// to be noted. Answers with the version and, if that is another one, the states and ids.
    static let stopped = RedisScript(
        """
        local index, worker, known = KEYS[1], ARGV[1], ARGV[2]
        local version = redis.call('GET', index .. '.stopped.version') or '0'
        if known == version and ARGV[3] ~= '1' then return { version } end
        local time = redis.call('TIME')
        local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
        if known == '' or ARGV[3] == '1' then
          local key = index .. '.stopped.workers'
          redis.call('HSET', key, worker, (known == '' and version or known) .. ' ' .. now)
          redis.call('PEXPIRE', key, \(workersTTL))
        end
        if known == version then return { version } end
        return { version, redis.call('ZRANGEBYSCORE', index .. '.stopped.runs', '(' .. now, '+inf') }
        """)

    /// For how long it is known which version it is of what is stopped: a day. Later another one comes, which is larger.
    private static let versionTTL = 86_400_000
    /// For how long it is known who keeps to which version: a minute after the last of them was heard.
    private static let workersTTL = 60_000
}
