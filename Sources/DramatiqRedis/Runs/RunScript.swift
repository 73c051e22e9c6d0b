import Dramatiq

/// The runs of workflows in Redis: the part of the scripts that keeps them, beside their barriers.
///
/// | key | holds |
/// |-|-|
/// | `<id>_state` | a hash: `state`, `started` and `ended` (ms), `about` (``RunEntry``), `index`, `kind`, `failed`, `<kind>:<actor>` for each kind of count, `retention` (ms), `max_ended`, `outline` (the definition's shape, if it is short) |
/// | `<id>_outline` | the definition's shape, if it is long; until the run has succeeded or was cancelled. `outlined` in the hash says that there is one |
/// | `<id>_open` | a set: the keys of groups' barriers that are open |
/// | `<id>_failures` | a hash: a message's id and what there is to know about its failure, as JSON |
/// | `<id>_held` | a hash: a message's id and the message, put aside since the run is paused or has failed: see `HeldMessage.text` |
/// | `<id>_stored` | a set: what is stored for the run alone, `k` and its key, or `n` and what it is called elsewhere. `stored` in the hash says that there is some |
/// | `<index>.running` | a sorted set of ``RunEntry`` (ms of the start): the runs that are under way |
/// | `<index>.<state>` | a sorted set of ``RunEntry`` (ms): those that have ended so, and when they are to be forgotten |
/// | `<index>.stopped.runs` | a sorted set (ms): state and id of the runs that are stopped, and until when a message of them may come |
/// | `<index>.stopped.version` | a number that grows with each change of that, by the clock so that it is never one of before |
/// | `<index>.stopped.workers` | a hash: a worker, and which version it keeps to and when it was heard (ms) |
/// | `<index>.name.<name>`, `<index>.label.<key>=<value>` | sorted sets of ids (ms of the start): those with a name or a label |
///
/// The id is the key of the run's barrier, and all its keys live for as long as that: see ``BarrierScript``. An entry has
/// all that is listed, so that listing looks at nothing else of a run that has ended.
///
/// A run begins and ends in the commits of its first and last task, and the server's time goes into how many commands that
/// takes, and how many functions it makes. So what can wait is done now and then (`is_turn`), and functions are made when
/// they are first needed.
enum RunScript {
    /// How many runs whose time is over are removed by one that ends, and by a listing.
    static let (maxRemoved, maxRemovedByListing) = (20, 1000)
    /// How many runs begin or end for one that looks after the lists, on average.
    private static let turnInterval = 8
    /// From how many fields on of a run's hash no more actors are counted apart: each has some six, and there are others.
    private static let maxFields = 6 * RunLimits.maxActors
    /// From how many on those that have ended are removed now and then only.
    private static let exactMaxEnded = 1000

    /// For how long it is known of a run that has succeeded what is stored elsewhere for it, in milliseconds: an hour. It is
    /// asked for at once, if at all.
    private static let leftoverTTL = 3_600_000

    /// Defines `use_runs()`, which has `read()`, which reads a ``RunStep``, `look_at(run, steps)`, which writes nothing, `note`,
    /// which can't fail after that, and `write()`, which has to be called when all is noted. Expects `take()` and
    /// `use_barriers()`.
    ///
    /// What is read and counted of a run is read and written once in a run of the script, whatever number of its tasks
    /// ends there.
    static let functions = """
        local runs
        local function use_runs()
          if runs then return runs end
          -- What was read of runs, and what is to be written.
          local records = {}

          local function read_counts()
            local counts = {}
            for i = 1, tonumber(take()) do counts[i] = { actor = take(), count = tonumber(take()) } end
            return counts
          end

          local function read()
            local id = take()
            if id == '' then return end
            local run = { id = id, index = take(), sent = read_counts(), outcome = take() }
            -- One that isn't needed is empty.
            local mark = string.sub(run.index, 1, 1)
            run.index = string.sub(run.index, 2)
            run.decides = mark == '!' or mark == '+'
            run.fails = mark == '-' or mark == '+'
            run.cancels = mark == 'x'
            if run.outcome ~= '' then
              run.actor, run.message = take(), take()
              if run.outcome ~= 'succeeded' then
                run.reason, run.attempt, run.queue, run.letter = take(), take(), take(), take()
                run.groups = {}
                for i = 1, tonumber(take()) do run.groups[i] = take() end
              end
            end
            local marked = take()
            local kind = string.sub(marked, 1, 1)
            if kind == '1' then
              local beginning = { about = take(), retention = use_barriers().duration(take()), max_ended = take() }
              beginning.lists = {}
              for i = 1, tonumber(take()) do beginning.lists[i] = take() end
              beginning.tasks = read_counts()
              for _, name in ipairs({ 'on_success', 'on_failure', 'on_end' }) do
                local callback = take()
                if callback ~= '' then beginning[name] = callback end
              end
              beginning.group_callbacks = {}
              for i = 1, tonumber(take()) do beginning.group_callbacks[i] = { name = take(), text = take() } end
              beginning.outline = take()
              run.beginning = beginning
            elseif kind == '2' then
              run.returned = {}
              for i = 1, tonumber(take()) do run.returned[i] = { id = take(), actor = take() } end
            elseif kind == '3' then
              run.added = read_counts()
            elseif kind == '4' then
              run.group_failures = {}
              for i = 1, tonumber(take()) do
                local failure = use_barriers().read_one()
                failure.party, failure.cause, failure.decider = take(), take(), take()
                run.group_failures[i] = failure
              end
            end
            if #marked > 1 then
              run.stored = {}
              for i = 1, tonumber(take()) do run.stored[i] = take() end
            end
            return run
          end

          local function ends(run, steps)
            for _, barrier in ipairs(steps.releases) do if barrier.key == run.id then return true end end
            return steps.arrival and steps.arrival.releases and steps.arrival.key == run.id
          end

          -- Reads all that a step may need or change, at once. There is nothing of a run that begins. Without steps the run
          -- does not end; it may if they are true.
          local function look_at(run, steps)
            local record = records[run.id]
            run.record = record or { id = run.id, key = run.id .. '_state', values = {}, changes = {} }
            if run.beginning then return end
            local values, names = run.record.values, {}
            if not record then names = { 'state', 'failed', 'started', 'retention', 'max_ended', 'about', 'kind', 'callbacks' } end
            local function need(name)
              if values[name] == nil then names[#names + 1] = name end
            end
            if run.outcome ~= '' then
              need('total:' .. run.actor)
              for _, kind in ipairs(run.outcome == 'failed' and { 'failed' } or { run.outcome, 'failed' }) do
                need(kind .. ':' .. run.actor)
                need(kind .. ':')
              end
            end
            if run.stored or run.fails or steps == true or steps and ends(run, steps) then
              need('stored')
              need('outlined')
            end
            for _, message in ipairs(run.returned or {}) do
              need('total:' .. message.actor)
              need('held:' .. message.actor)
              need('held:')
            end
            if run.added then need('total:') end
            for i, task in ipairs(run.added or {}) do
              if i > \(RunLimits.maxActors) then break end
              need('total:' .. task.actor)
            end
            for i, sent in ipairs(run.sent) do
              if i > \(RunLimits.maxActors) then break end
              need('total:' .. sent.actor)
              need('sent:' .. sent.actor)
              need('sent:')
            end
            if #names == 0 then return end
            for i, value in ipairs(redis.call('HMGET', run.record.key, unpack(names))) do values[names[i]] = value end
            -- Something else than a run.
            if not values.about then values.state = false end
            records[run.id] = run.record
          end

          local function set(record, name, value)
            record.values[name] = value
            record.changes[name] = value
          end

          -- The first actors of a definition are counted apart, all others together, so that a run stays small.
          local function count(record, kind, actor, amount)
            local name = kind .. ':' .. (record.values['total:' .. actor] and actor or '')
            set(record, name, (tonumber(record.values[name] or '0') or 0) + amount)
          end

          local function failures(record)
            return tonumber(record.values.failed or '0') or 0
          end

          local function write(record)
            local fields = {}
            for name, value in pairs(record.changes) do
              fields[#fields + 1] = name
              fields[#fields + 1] = value
            end
            if #fields > 0 then redis.pcall('HSET', record.key, unpack(fields)) end
            record.changes = {}
          end

        \(endings)

          -- What steps come to that are about the end of a run with callbacks; nil if they can be taken.
          local function verdict(run, steps)
            local values = run.record.values
            if not (values.callbacks or run.decides) or not (run.fails or ends(run, steps)) then return end
            local state = values.state
            local is_open = state == 'running' or state == 'paused' or state == 'failed' and not run.fails
            if run.decides then return not is_open and 'released' or nil end
            return is_open and 'opened' or nil
          end

          -- Does what steps mean for their run. They were taken before.
          local function note(run, steps, is_committed)
            local record = run.record
            if run.beginning and is_committed then use_endings().begin(run, steps) end
            if run.stored and is_committed and record.values.state then
              local key = run.id .. '_stored'
              local size = redis.pcall('SCARD', key)
              if type(size) == 'number' and size < \(RunLimits.maxContents) then
                if type(redis.pcall('SADD', key, unpack(run.stored))) == 'number' then
                  local ttl = redis.call('PTTL', record.key)
                  if ttl > 0 then redis.pcall('PEXPIRE', key, ttl) end
                  if not record.values.stored then set(record, 'stored', '1') end
                end
              end
            end
            if run.beginning or not record.values.state then return end
            local is_over, has_groups = false, #steps.releases > 0
            if is_committed then
              for _, creation in ipairs(steps.creations) do has_groups = has_groups or creation.parties ~= '1' end
              is_over = ends(run, steps)
              if has_groups then use_endings().note_groups(record, steps) end
              if run.added then use_endings().extend(run) end
              for _, sent in ipairs(run.sent) do count(record, 'sent', sent.actor, sent.count) end
            end
            if is_committed and run.cancels then use_endings().stops().change(run, 'cancel') end
            if is_committed and run.returned then use_endings().stops().give_back(run) end
            if run.outcome == 'failed' then
              use_endings().fail(run)
            elseif run.outcome ~= '' then
              if failures(record) > 0 then use_endings().mend(run) end
              count(record, run.outcome, run.actor, 1)
            end
            if is_over then use_endings().succeed(run) elseif run.fails then use_endings().stops().fail_run(run) end
          end

          runs = {
            read = read, look_at = look_at, verdict = verdict, count = count, failures = failures, note = note, endings = use_endings,
            write = function()
              for _, record in pairs(records) do write(record) end
            end,
          }
          return runs
        end
        """

    /// What happens seldom in a run: its beginning and end, groups, failures.
    private static let endings = """
          local endings
          local function use_endings()
            if endings then return endings end

            local function milliseconds()
              local time = redis.call('TIME')
              return time[1] * 1000 + math.floor(time[2] / 1000)
            end

            local function is_turn(now)
              return now % \(turnInterval) == 0
            end

            -- See RunEntry.
            local function entry(record)
              local values = record.values
              return values.started .. '\\31' .. values.kind .. '\\31' .. values.about .. record.id
            end

            -- Removes a run from the lists that its entry names, and what is kept of it.
            local function forget(index, list, text)
              redis.pcall('ZREM', list, text)
              local labels, name, at = string.match(text, '^%d+\\31%a\\31%d+\\31%d+\\31(%d+)\\31([^\\31]*)\\31()')
              if not labels then return end
              local others = {}
              if name ~= '' then others[1] = '.name.' .. name end
              for i = 1, tonumber(labels) do
                local label, next_at = string.match(text, '^([^\\31]*)\\31()', at)
                if not label then return end
                others[#others + 1], at = '.label.' .. label, next_at
              end
              local id = string.sub(text, at)
              for _, other in ipairs(others) do redis.pcall('ZREM', index .. other, id) end
              redis.pcall('UNLINK', id .. '_state', id .. '_open', id .. '_failures', id .. '_held', id .. '_outline')
              records[id] = nil
            end

            -- Forgets some of the runs in a list that ended long ago, or, if there are too many, those that ended first.
            local function trim(index, list, now, limit, max_ended)
              local entries = redis.pcall('ZRANGEBYSCORE', list, '-inf', string.format('%d', now), 'LIMIT', 0, limit)
              if entries.err then return end
              if #entries == 0 and max_ended then
                local surplus = math.min(limit, redis.call('ZCARD', list) - max_ended)
                if surplus > 0 then entries = redis.call('ZRANGE', list, 0, surplus - 1) end
              end
              for _, text in ipairs(entries) do forget(index, list, text) end
            end

            -- What runs that end do for the lists comes last: a run that is not to be kept is forgotten whole.
            local function finish(run, state)
              local record, now = run.record, milliseconds()
              local values = record.values
              local retention = tonumber(values.retention) or 1
              local earlier = values.state
              -- Of one that has failed something may still be requeued.
              if state == 'failed' then retention = math.max(retention, redis.call('PTTL', record.key)) end
              set(record, 'state', state)
              set(record, 'ended', string.format('%d', now))
              write(record)
              if values.outlined then
                local key = run.id .. '_outline'
                if state == 'failed' then redis.pcall('PEXPIRE', key, retention) else redis.pcall('UNLINK', key) end
              end
              redis.pcall('PEXPIRE', record.key, retention)
              if failures(record) > 0 then redis.pcall('PEXPIRE', run.id .. '_failures', retention) end
              if state == 'failed' then
                redis.pcall('PEXPIRE', run.id .. '_open', retention)
                redis.pcall('PEXPIRE', run.id .. '_held', retention)
                if values.stored then redis.pcall('PEXPIRE', run.id .. '_stored', retention) end
              end
              local list, text = run.index .. '.' .. state, entry(record)
              redis.pcall('ZREM', run.index .. '.' .. earlier, text)
              redis.pcall('ZADD', list, string.format('%d', now + retention), text)
              -- Longer than its entries, so that who removes them knows their names and labels.
              redis.pcall('PEXPIRE', list, retention + 3600000)
              local max_ended = tonumber(values.max_ended) or 0
              -- If now and then, then more than have come since.
              if max_ended < \(exactMaxEnded) or is_turn(now) then
                trim(run.index, list, now, \(maxRemoved), max_ended)
              end
            end

            -- Of steps, which have one party, there are many; they are the tasks in flight.
            local function note_groups(record, steps)
              if record.values.state == 'cancelled' then return end
              local open, closed = {}, {}
              for _, creation in ipairs(steps.creations) do
                if creation.parties ~= '1' then open[#open + 1] = creation.key end
              end
              for i, barrier in ipairs(steps.releases) do closed[i] = barrier.key end
              local key = record.id .. '_open'
              for i = 1, #open, 1000 do redis.pcall('SADD', key, unpack(open, i, math.min(#open, i + 999))) end
              if #open > 0 then
                local ttl = redis.call('PTTL', record.key)
                if ttl > 0 then redis.pcall('PEXPIRE', key, ttl) end
              end
              for i = 1, #closed, 1000 do redis.pcall('SREM', key, unpack(closed, i, math.min(#closed, i + 999))) end
            end

        \(stops)

            local function succeed(run)
              local state = run.record.values.state
              if state ~= 'running' and state ~= 'paused' and state ~= 'failed' then return end
              -- Nothing of it needs any more what is stored for it. What isn't here is asked for.
              if run.record.values.stored then
                local key, has_others = run.id .. '_stored', false
                local stored = redis.pcall('SRANDMEMBER', key, \(2 * RunLimits.maxContents))
                for _, content in ipairs(stored) do
                  if string.sub(content, 1, 1) == 'k' then
                    redis.pcall('UNLINK', string.sub(content, 2))
                  else
                    has_others = true
                  end
                end
                if has_others then redis.pcall('PEXPIRE', key, \(leftoverTTL)) else redis.pcall('UNLINK', key) end
              end
              finish(run, 'succeeded')
              if state ~= 'running' then use_stops().unstop(run, state) end
            end

            local function begin(run, steps)
              local record, beginning, barrier, is_new = run.record, run.beginning
              for _, creation in ipairs(steps.creations) do
                if creation.key == run.id then barrier, is_new = creation, creation.is_new end
              end
              local is_over = not barrier
              if is_over then
                -- Nothing is to come.
                barrier = { ran = '', ttl = beginning.retention }
                is_new = redis.call('EXISTS', record.key) == 0
              end
              if not is_new then return end
              records[run.id] = record
              local now = milliseconds()
              set(record, 'state', 'running')
              set(record, 'started', string.format('%d', now))
              set(record, 'kind', barrier.ran == '' and 'c' or 'r')
              set(record, 'about', beginning.about)
              set(record, 'index', run.index)
              set(record, 'retention', beginning.retention)
              set(record, 'max_ended', beginning.max_ended)
              for _, name in ipairs({ 'on_success', 'on_failure', 'on_end' }) do
                if beginning[name] then
                  set(record, name, beginning[name])
                  set(record, 'callbacks', '1')
                end
              end
              for _, callback in ipairs(beginning.group_callbacks) do set(record, callback.name, callback.text) end
              if #beginning.outline > \(RunLimits.maxEndedOutlineSize) then
                set(record, 'outlined', '1')
                redis.pcall('SET', run.id .. '_outline', beginning.outline, 'PX', barrier.ttl)
              elseif beginning.outline ~= '' then
                set(record, 'outline', beginning.outline)
              end
              for i, task in ipairs(beginning.tasks) do
                local is_known = i <= \(RunLimits.maxActors) and #task.actor <= \(RunLimits.maxNameLength)
                if is_known then record.values['total:' .. task.actor] = '0' end
                count(record, 'total', task.actor, task.count)
              end
              for _, sent in ipairs(run.sent) do count(record, 'sent', sent.actor, sent.count) end
              write(record)
              redis.pcall('PEXPIRE', record.key, barrier.ttl)
              local longest = math.min(barrier.ttl + beginning.retention, \(BarrierScript.longestDuration))
              -- A run must not fail for the lists that it is in.
              for _, list in ipairs(beginning.lists) do
                redis.pcall('ZADD', run.index .. list, record.values.started, run.id)
                redis.pcall('PEXPIRE', run.index .. list, longest)
              end
              local running = run.index .. '.running'
              redis.pcall('ZADD', running, record.values.started, entry(record))
              if is_turn(now) then redis.pcall('PEXPIRE', running, longest) end
              note_groups(record, steps)
              if is_over then finish(run, 'succeeded') end
            end

            -- The run has more tasks than its definition. Their actors are counted apart, too, as long as there are not many.
            local function extend(run)
              local record = run.record
              for i, task in ipairs(run.added) do
                local name = 'total:' .. task.actor
                local is_countable = i <= \(RunLimits.maxActors) and #task.actor <= \(RunLimits.maxNameLength)
                if is_countable and not record.values[name] and redis.call('HLEN', record.key) < \(maxFields) then
                  record.values[name] = '0'
                end
                count(record, 'total', task.actor, task.count)
              end
            end

            local function fail(run)
              local record, key = run.record, run.id .. '_failures'
              local parts = { run.actor, run.reason, run.attempt, run.queue, run.letter }
              for i, group in ipairs(run.groups) do parts[5 + i] = group end
              local failure = cjson.encode(parts)
              if redis.pcall('HSET', key, run.message, failure) ~= 1 then return end
              set(record, 'failed', failures(record) + 1)
              count(record, 'failed', run.actor, 1)
              local ttl = redis.call('PTTL', record.key)
              if ttl > 0 then redis.pcall('PEXPIRE', key, ttl) end
            end

            -- A task that has failed runs again, so groups have not lost a member by it.
            local function take_back(id, message)
              local failure = redis.call('HGET', id .. '_failures', message)
              local is_read, parts = pcall(cjson.decode, failure or '[]')
              if not is_read then return end
              for i = 6, #parts do use_barriers().groups().take_back(parts[i], message) end
            end

            -- A task that has failed before, and was requeued since, has not failed any more.
            local function mend(run)
              if redis.pcall('HDEL', run.id .. '_failures', run.message) ~= 1 then return end
              set(run.record, 'failed', failures(run.record) - 1)
              count(run.record, 'failed', run.actor, -1)
            end

            -- A run is kept for as long as its barrier, until it has ended.
            local function keep(id, ttl)
              local values = redis.pcall('HMGET', id .. '_state', 'state', 'stored', 'outlined')
              if values[1] ~= 'running' and values[1] ~= 'paused' then return end
              if redis.call('PEXPIRE', id .. '_state', ttl) == 0 then return end
              redis.pcall('PEXPIRE', id .. '_open', ttl)
              redis.pcall('PEXPIRE', id .. '_failures', ttl)
              redis.pcall('PEXPIRE', id .. '_held', ttl)
              if values[2] then redis.pcall('PEXPIRE', id .. '_stored', ttl) end
              if values[3] then redis.pcall('PEXPIRE', id .. '_outline', ttl) end
            end

            -- Notes that a run has ended if its barrier is open: Python's workers don't.
            local function settle(id, index)
              local run = { id = id, index = index, sent = {}, outcome = '' }
              runs.look_at(run, true)
              local values = run.record.values
              if values.kind ~= 'r' then return end
              local ran = redis.call('GET', id .. '_ran')
              -- Of one that was under way the release may be forgotten by now.
              if ran == '0' or not ran and values.state == 'running' then succeed(run) end
            end

            endings = {
              begin = begin, extend = extend, succeed = succeed, note_groups = note_groups, fail = fail, mend = mend, keep = keep,
              take_back = take_back, settle = settle, trim = trim, forget = forget, milliseconds = milliseconds, stops = use_stops,
            }
            return endings
          end
        """

    /// A script that needs the functions and reads no steps.
    static func script(_ body: String) -> RedisScript {
        RedisScript(
            """
            local at, take
            \(BarrierScript.functions)
            local endings = use_runs().endings()

            \(body)
            """)
    }

    /// Answers how long lists are, and may remove some runs before whose time is over.
    ///
    /// `KEYS[1]` is what the lists begin with. Arguments: how many lists are looked after, and these; the lists whose
    /// lengths are asked for.
    static let measure = script(
        """
        local first = 2 + tonumber(ARGV[1])
        for i = 2, first - 1 do endings.trim(KEYS[1], ARGV[i], endings.milliseconds(), \(maxRemovedByListing)) end
        local lengths = {}
        for i = first, #ARGV do lengths[#lengths + 1] = redis.call('ZCARD', ARGV[i]) end
        return lengths
        """)

    /// Looks at runs that are listed as running and are not, or can't be any more: notes that they have ended, or forgets
    /// them.
    ///
    /// `KEYS[1]` is what the lists begin with. Arguments: the list that they are in, and what it has of each and the id.
    static let settle = script(
        """
        local index = KEYS[1]
        for i = 2, #ARGV, 2 do
          local member, id = ARGV[i], ARGV[i + 1]
          if redis.call('EXISTS', id .. '_state') == 1 then
            endings.settle(id, index)
          else
            endings.forget(index, ARGV[1], member)
          end
        end
        """)

    /// Reads a run.
    ///
    /// `KEYS[1]` is the run's id. Arguments: what the lists of runs begin with, how many barriers and failures are listed.
    /// Answers with the hash's fields and values, some open barriers with how many are missing, how many are open, some
    /// failures, how many there are, and the definition's shape if it is long.
    static let status = script(
        """
        local id, limit = KEYS[1], tonumber(ARGV[2])
        endings.settle(id, ARGV[1])
        local fields = redis.call('HGETALL', id .. '_state')
        local barriers, open, failures = {}, 0, {}
        local failed = redis.call('HLEN', id .. '_failures')
        if #fields == 0 then return { fields, barriers, open, failures, 0, '' } end
        for _, key in ipairs(redis.call('SRANDMEMBER', id .. '_open', limit)) do
          barriers[#barriers + 1] = key
          barriers[#barriers + 1] = redis.call('GET', key) or '0'
        end
        open = redis.call('SCARD', id .. '_open')
        if failed > 0 and limit > 0 then
          failures = redis.call('HSCAN', id .. '_failures', '0', 'COUNT', limit)[2]
          while #failures > 2 * limit do failures[#failures] = nil end
        end
        local outline = redis.pcall('GET', id .. '_outline')
        return { fields, barriers, open, failures, failed, type(outline) == 'string' and outline or '' }
        """)
}
