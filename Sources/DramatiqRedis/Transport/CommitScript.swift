/// The script that sends and settles: any number of ``RedisCommit``, each done as a whole or not at all.
///
/// `KEYS[1]` is the namespace. The arguments: the transport's id, for how many milliseconds what became of its commits
/// is remembered, `1` if the commit needs memory, how many tags can be forgotten and those, then the commits, each
/// preceded by its number of arguments:
///
///     a <taken> <queue> <ids>
///         acknowledge, and nothing besides
///     h <taken> <queue> <barrier> <run and actor, or ''> <tag, id and party of each>
///         acknowledge, and arrive at a barrier without releasing it; the run counts the tasks as done
///     g <tag> <1 if repeated> <outcome> <taken> <queue> <id> <dead-letter queue> <reason> <dead-letter ttl> <crashes>
///       <worker> <enqueues> <successors> <1, barriers | 0>
///         everything else; enqueues and successors are the number of queues, and for each its name, the number of
///         messages, and these as id and bytes
///
/// Before any of these may stand the results of the messages that it ends, which it keeps with their ends:
///
///     r <count> <key, milliseconds and bytes of each>
///
/// `taken` is the worker's id and the queue. The outcome is `a` (acknowledge), `r` (reject), `q` (requeue at the head),
/// or `-` for a commit that sends and settles nothing. The crashes are what is noted about a message that goes back to its
/// queue; otherwise, unless empty, there is a note that ends with it. The worker, if there is one, takes the first
/// successor at once unless something waits in its queue or the queue is paused.
///
/// It answers with one text per commit: `committed`, `relayed` (committed, and the worker has the first successor),
/// `opened`, `not released`, `not held`, `lost <barrier>` or `error <text>`. For acknowledgements that is `committed`, or
/// `not held` and the places of those that the worker didn't have; for arrivals `committed`, or a list with the text of
/// each.
///
/// Redis runs a script as a whole, but undoes nothing of one that fails. So everything is looked at before anything is
/// written, and the delivery ends last. When its memory is full, Redis refuses a script's first write if that needs
/// memory, and none after it. A commit that sends several messages begins with such a write and waits for memory; the
/// others begin with one that frees some, since an acknowledgement, a retry or a next step must not wait.
enum CommitScript {
    /// How many arguments a command of a script can be given: a third of Lua's limit (`LUAI_MAXCSTACK`, 8000).
    static let maxUnpack = 2500

    static let script = RedisScript(
        """
        local namespace = KEYS[1]
        local at = 0
        local function take()
          at = at + 1
          return ARGV[at]
        end

        local commits = namespace .. ':__commits__.' .. take()
        local commits_ttl = take()
        local needs_memory = take() == '1'
        local forgotten = tonumber(take())
        local forgotten_at = at
        at = at + forgotten
        local function forget()
          if forgotten > 0 then
            redis.call('HDEL', commits, unpack(ARGV, forgotten_at + 1, forgotten_at + forgotten))
          end
        end
        if not needs_memory then
          if forgotten == 0 then redis.call('HDEL', commits, '') end
          forget()
        end

        \(BarrierScript.functions)

        -- How many messages wait in queues.
        local waiting = {}
        -- Queues whose messages were looked at.
        local checked = {}
        local records = {}
        -- Keeps results of the step's messages if they have some: see KeptResults.
        local keep

        local settling
        local function use_settling()
          if settling then return settling end

          -- Whether queues are paused whose message a worker would get.
          local is_paused = {}

          local function read_messages()
            local groups = {}
            for i = 1, tonumber(take()) do
              groups[i] = { queue = take(), count = tonumber(take()), at = at }
              at = at + 2 * groups[i].count
            end
            return groups
          end

          -- Fails unless a queue is one: once something is written it is too late.
          local function check_queue(name)
            if not waiting[name] then waiting[name] = redis.call('LLEN', namespace .. ':' .. name) end
            if checked[name] then return end
            redis.call('HLEN', namespace .. ':' .. name .. '.msgs')
            checked[name] = true
          end

          local function enqueue(groups)
            for _, group in ipairs(groups) do
              local list = namespace .. ':' .. group.queue
              local first, last = group.at + 1, group.at + 2 * group.count
              while first <= last do
                local chunk_end = math.min(last, first + \(maxUnpack / 2 * 2) - 1)
                redis.call('HSET', list .. '.msgs', unpack(ARGV, first, chunk_end))
                local ids = {}
                for i = first, chunk_end, 2 do ids[#ids + 1] = ARGV[i] end
                waiting[group.queue] = redis.call('RPUSH', list, unpack(ids))
                first = chunk_end + 1
              end
            end
          end

          -- Gives the first successor to a worker as if it had taken it. A heartbeat goes with it unless it has one, so that
          -- there is no worker who has something and can't be missed.
          local function relay(groups, worker)
            local group = groups[1]
            if waiting[group.queue] > 0 then return false end
            local id, message = ARGV[group.at + 1], ARGV[group.at + 2]
            redis.call('HSET', namespace .. ':' .. group.queue .. '.msgs', id, message)
            redis.call('SADD', namespace .. ':__acks__.' .. worker .. '.' .. group.queue, id)
            if not redis.call('ZSCORE', namespace .. ':__heartbeats__', worker) then
              local time = redis.call('TIME')
              local now = string.format('%d', time[1] * 1000 + time[2] / 1000)
              redis.call('ZADD', namespace .. ':__heartbeats__', now, worker)
            end
            group.at = group.at + 2
            group.count = group.count - 1
            return true
          end

          local function read_step()
            local step = { tag = take(), is_repeated = take() == '1', outcome = take() }
            step.taken, step.queue, step.id = namespace .. ':__acks__.' .. take(), take(), take()
            step.dead_letters, step.reason, step.ttl, step.crashes = take(), take(), take(), take()
            step.worker = take()
            step.enqueues, step.successors = read_messages(), read_messages()
            step.barriers = take() == '1' and use_barriers().read()
            return step
          end

          local function settle(step)
            local tag, outcome, taken, queue, id = step.tag, step.outcome, step.taken, step.queue, step.id
            if step.is_repeated then
              local record = redis.call('HGET', commits, tag)
              if record then return record end
            end
            local messages, marks = namespace .. ':' .. queue .. '.msgs', namespace .. ':__redelivered__.' .. queue
            local is_marked = step.crashes and step.crashes ~= ''
            if outcome ~= '-' then
              if redis.call('SISMEMBER', taken, id) == 0 then return 'not held' end
              if redis.call('HEXISTS', messages, id) == 0 then
                -- Somebody else has finished it.
                redis.call('SREM', taken, id)
                return 'not held'
              end
              checked[queue] = true
            end
            if keep then keep(step.place or 1, true) end

            local relays = step.worker ~= ''
            if relays then
              local name, paused = step.successors[1].queue, namespace .. ':__paused__'
              if is_paused[name] == nil then
                -- Mostly nothing waits there and nothing is paused, which takes one command.
                if redis.call('EXISTS', namespace .. ':' .. name, paused) == 0 then
                  waiting[name], is_paused[name] = 0, false
                else
                  is_paused[name] = redis.call('SISMEMBER', paused, name) == 1
                end
              end
              relays = not is_paused[name]
            end
            for _, group in ipairs(step.enqueues) do check_queue(group.queue) end
            for _, group in ipairs(step.successors) do check_queue(group.queue) end
            if outcome == 'q' then check_queue(queue) end
            local dead_letters
            if outcome == 'r' then
              dead_letters = namespace .. ':' .. step.dead_letters
              redis.call('ZCARD', dead_letters)
              redis.call('HLEN', dead_letters .. '.msgs')
            end
            if is_marked then redis.call('HLEN', marks) end
            if is_marked or outcome == 'r' then step.ttl = use_barriers().duration(step.ttl) end

            local result = 'committed'
            if step.barriers then
              local state = use_barriers().commit(step.barriers)
              if state == 'waiting' or state == 'released' then
                result = 'not released'
              elseif state ~= 'committed' then
                return state
              end
            end
            enqueue(step.enqueues)
            local is_relayed = false
            if result == 'committed' then
              is_relayed = relays and relay(step.successors, step.worker)
              enqueue(step.successors)
            end
            if keep then keep(step.place or 1) end
            if outcome == 'r' then
              local time = redis.call('TIME')
              local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
              redis.call('HSET', dead_letters .. '.msgs', id, redis.call('HGET', messages, id))
              redis.call('ZADD', dead_letters, now, id)
              redis.call('SET', dead_letters .. '.reason.' .. id, step.reason, 'PX', step.ttl)
            end
            if outcome == 'q' then waiting[queue] = redis.call('LPUSH', namespace .. ':' .. queue, id) end
            if is_marked and outcome == 'q' then
              redis.call('HSET', marks, id, step.crashes)
              redis.call('PEXPIRE', marks, step.ttl)
            elseif is_marked then
              redis.call('HDEL', marks, id)
            end
            if outcome ~= '-' then redis.call('SREM', taken, id) end
            if outcome == 'a' or outcome == 'r' then redis.call('HDEL', messages, id) end
            records[#records + 1] = tag
            records[#records + 1] = result
            return is_relayed and 'relayed' or result
          end

          settling = { read = read_step, settle = settle }
          return settling
        end

        -- Whether a worker has taken messages: a list of 0 and 1.
        local function are_taken(taken, ids)
          local held = redis.pcall('SMISMEMBER', taken, unpack(ids))
          if held.err then
            -- A server before 6.2.
            held = {}
            for i, id in ipairs(ids) do held[i] = redis.call('SISMEMBER', taken, id) end
          end
          return held
        end

        local function acknowledge(last)
          local taken, messages = namespace .. ':__acks__.' .. take(), namespace .. ':' .. take() .. '.msgs'
          local all = { unpack(ARGV, at + 1, last) }
          local ids, others = {}, ''
          for i, is_taken in ipairs(are_taken(taken, all)) do
            if is_taken == 1 then
              ids[#ids + 1] = all[i]
              if keep then keep(i) end
            else
              others = others .. ' ' .. (i - 1)
            end
          end
          if #ids > 0 then
            redis.call('SREM', taken, unpack(ids))
            redis.call('HDEL', messages, unpack(ids))
          end
          return others == '' and 'committed' or 'not held' .. others
        end

        local function try(step, argument)
          local is_done, result = pcall(step, argument)
          if is_done then return result end
          return 'error ' .. (type(result) == 'table' and result.err or tostring(result))
        end

        local function arrive_all(last)
          local taken, queue = namespace .. ':__acks__.' .. take(), take()
          local barriers = use_barriers()
          local barrier = barriers.read_one()
          local run_id, actor = take()
          if run_id ~= '' then actor = take() end
          local tags, ids, parties = {}, {}, {}
          while at < last do
            local i = #tags + 1
            tags[i], ids[i], parties[i] = take(), take(), take()
          end

          local messages = namespace .. ':' .. queue .. '.msgs'
          local left = barriers.look_at(barrier)
          local is_simple = type(left) == 'number' and left > #tags
          local run
          if is_simple and run_id ~= '' then
            run = { id = run_id, sent = {}, outcome = 'succeeded', actor = actor }
            use_runs().look_at(run)
            -- One that failed before has to be told from the others.
            is_simple = runs.failures(run.record) == 0
          end
          if is_simple then
            for i, is_taken in ipairs(are_taken(taken, ids)) do
              is_simple = is_simple and is_taken == 1 and redis.call('HEXISTS', messages, ids[i]) == 1
            end
          end
          if is_simple then
            if keep then
              for i = 1, #tags do keep(i) end
            end
            -- None of them can be the last one.
            local arrived = barrier.key .. '_arrived'
            local new = redis.call('SADD', arrived, unpack(parties))
            if new > 0 then redis.call('DECRBY', barrier.key, new) end
            if run and run.record.values.state and new > 0 then runs.count(run.record, 'succeeded', actor, new) end
            barriers.keep(barrier)
            redis.call('SREM', taken, unpack(ids))
            redis.call('HDEL', messages, unpack(ids))
            for _, tag in ipairs(tags) do
              records[#records + 1] = tag
              records[#records + 1] = 'committed'
            end
            return 'committed'
          end

          local results = {}
          for i, tag in ipairs(tags) do
            local arrival = {
              key = barrier.key, ran = barrier.ran, ttl = barrier.ttl, party = parties[i], releases = false,
            }
            local ended = run_id ~= '' and {
              id = run_id, sent = {}, outcome = 'succeeded', actor = actor, message = parties[i],
            } or nil
            results[i] = try(use_settling().settle, {
              tag = tag, outcome = 'a', taken = taken, queue = queue, id = ids[i], worker = '', enqueues = {},
              successors = {}, place = i,
              barriers = { releases = {}, arrival = arrival, creations = {}, refreshes = {}, run = ended },
            })
          end
          return results
        end

        local steps = {
          a = acknowledge,
          h = arrive_all,
          g = function()
            local settling = use_settling()
            return settling.settle(settling.read())
          end,
        }
        local results = {}
        while at < #ARGV do
          local count = tonumber(take())
          local next_at = at + count
          local kind = take()
          if kind == 'r' then
            \(KeptResults.reading)
            kind = take()
          end
          results[#results + 1] = try(steps[kind], next_at)
          at, keep = next_at, nil
        end
        write_runs()
        if needs_memory then forget() end
        if #records > 0 then
          redis.call('HSET', commits, unpack(records))
          redis.call('PEXPIRE', commits, commits_ttl)
        end
        return results
        """)
}
