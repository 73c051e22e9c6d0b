public import Dramatiq

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The runs of workflows, which are kept beside their barriers: see ``RunScript``.
extension RedisRateLimiterBackend: RunStore {
    public var runStore: (any RunStore)? { self }

    /// Reads what there is of a run, in one step.
    ///
    /// Python's workers count at the run's barrier and don't know that it is one. So if that is open by now, the run is
    /// noted to have ended.
    ///
    /// - Throws: ``RedisError``.
    public func run(_ id: String, index: String, limit: Int) async throws -> RunStatus? {
        let reply = try await executor.evaluate(
            RunScript.status, keys: [id], index, max(0, min(limit, Self.maxListed))
        ).array()
        guard reply.count == 6 else {
            throw RedisError(.unexpectedReply, "The state of a run came as \(reply.count) parts")
        }
        let fields = try reply[0].pairs().map { (try $0.key.string(), try $0.value.string()) }
        let values = Dictionary(fields, uniquingKeysWith: { first, _ in first })
        guard let summary = RunSummary(id: id, values) else { return nil }
        var tasks: [TextKey: RunTaskCounts] = [:]
        for (name, value) in fields {
            guard let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let actor = String(name[name.utf8.index(after: colon)...])
            let count = max(0, Int(value) ?? 0)
            switch TextKey(String(name[..<colon])) {
            case "total": tasks[TextKey(actor), default: RunTaskCounts()].total = count
            case "sent": tasks[TextKey(actor), default: RunTaskCounts()].sent = count
            case "succeeded": tasks[TextKey(actor), default: RunTaskCounts()].succeeded = count
            case "failed": tasks[TextKey(actor), default: RunTaskCounts()].failed = count
            case "held": tasks[TextKey(actor), default: RunTaskCounts()].held = count
            case "skipped": tasks[TextKey(actor), default: RunTaskCounts()].skipped = count
            default: break
            }
        }
        return RunStatus(
            run: summary,
            tasks: Dictionary(tasks.map { ($0.key.text, $0.value) }, uniquingKeysWith: { first, _ in first }),
            openBarriers: try reply[1].pairs().map { pair in
                RunStatus.OpenBarrier(key: try pair.key.string(), missing: max(0, Int(try pair.value.string()) ?? 0))
            },
            openBarrierCount: try reply[2].integer(),
            failures: try reply[3].pairs().map { pair in
                RunStatus.Failure(messageID: try pair.key.string(), json: try pair.value.string())
            },
            failureCount: try reply[4].integer(),
            outline: try values["outline"] ?? reply[5].string())
    }

    /// Those that are under way come first, and then, state by state, those that have ended, unless a name or labels are
    /// asked for.
    ///
    /// - Throws: ``RedisError``.
    public func runs(_ query: RunQuery) async throws -> RunPage {
        // Lists of names and labels have a point in what follows the index; no state has.
        if query.state?.name.utf8.contains(UInt8(ascii: ".")) ?? false { return RunPage(runs: [], nextOffset: nil) }
        var page = try await page(query)
        let stale = page.stale.filter { !$0.value.isEmpty }
        if !stale.isEmpty {
            // Each is looked at once; who has ended is elsewhere now.
            for (list, stale) in stale {
                let arguments = try stale.flatMap { [try $0.member.bytes(), Array($0.id.utf8)] }
                _ = try await executor.evaluate(RunScript.settle, keys: [query.index], list, list: arguments)
            }
            page = try await self.page(query)
        }
        let (next, overflow) = query.offset.addingReportingOverflow(page.seen)
        return RunPage(
            runs: page.runs.filter { query.includes($0) }, nextOffset: page.isLast || overflow ? nil : next)
    }

    /// A run in a list: what the list has, and the run's id.
    private typealias Listed = (member: RESPValue, id: String)
    private typealias Running = (member: RESPValue, entry: RunEntry)

    private struct Page {
        var runs: [RunSummary] = []
        /// How many were looked at.
        var seen = 0
        var isLast = false
        /// Those in each list that are not what it says, or not any more.
        var stale: [String: [Listed]] = [:]
    }

    private func page(_ query: RunQuery) async throws -> Page {
        let limit = min(query.limit, Self.maxListed)
        let rareList = Self.rareList(query)
        let states = query.state.map { [$0] } ?? [.running, .paused] + RunState.endings
        let lists = rareList.map { [$0] } ?? states.map { Self.list(query, $0) }
        let looked = query.offset == 0 ? RunState.endings.map { Self.list(query, $0) } : []
        let sizes = try await executor.evaluate(
            RunScript.measure, keys: [query.index], looked.count, list: looked + lists
        ).array()
        guard sizes.count == lists.count else {
            throw RedisError(.unexpectedReply, "The lengths of \(lists.count) lists came as \(sizes.count)")
        }
        var ranges: [(index: Int, command: RedisCommand)] = []
        var (offset, left) = (query.offset, limit)
        for (index, size) in try sizes.map({ try $0.integer() }).enumerated() {
            if offset < size, left > 0 {
                let last = min(offset + left, size) - 1
                let command = RedisCommand("ZREVRANGE", lists[index], offset, last)
                let scored = RedisCommand("ZREVRANGE", lists[index], offset, last, "WITHSCORES")
                ranges.append((index, rareList == nil && states[index].isEnded ? scored : command))
                left -= last + 1 - offset
            }
            offset = max(0, offset - size)
        }
        var page = Page(seen: limit - left, isLast: left > 0)
        for (range, reply) in zip(ranges, try await executor.pipeline(ranges.map(\.command))) {
            let list = lists[range.index]
            if rareList != nil {
                try await add(try reply.get().array(), of: list, to: &page)
            } else if states[range.index].isEnded {
                try add(try reply.get().scored(), states[range.index], to: &page)
            } else {
                try await add(try reply.get().array(), of: list, states[range.index], to: &page)
            }
        }
        return page
    }

    /// Adds those of a list of a state in which runs end.
    private func add(_ values: [RESPValue.Pair], _ state: RunState, to page: inout Page) throws {
        for value in values {
            guard let entry = RunEntry(try value.key.bytes()) else { continue }
            page.runs.append(entry.summary(state, ended: try value.value.double() - Double(entry.retention)))
        }
    }

    /// Adds those of a list of another state.
    private func add(_ values: [RESPValue], of list: String, _ state: RunState, to page: inout Page) async throws {
        var running: [Running] = []
        for value in values {
            guard let entry = RunEntry(try value.bytes()) else { continue }
            page.runs.append(entry.summary(state, ended: nil))
            running.append((value, entry))
        }
        page.stale[list] = try await stale(running)
    }

    /// Adds those of a list of a name or a label, which has their ids.
    private func add(_ values: [RESPValue], of list: String, to page: inout Page) async throws {
        let ids = try values.map { try $0.string() }
        let replies = try await executor.pipeline(
            ids.map { RedisCommand("HMGET", "\($0)_state", list: RunEntry.fields) })
        var running: [Running] = []
        var stale: [Listed] = []
        for (id, reply) in zip(ids, replies) {
            var fields: [String: String] = [:]
            for (field, value) in zip(RunEntry.fields, try reply.get().array()) where !value.isNull {
                fields[field] = try value.string()
            }
            guard let entry = RunEntry(id: id, fields), let state = fields["state"] else {
                stale.append((.string(id), id))
                continue
            }
            let run = entry.summary(RunState(state), ended: fields["ended"].flatMap(Double.init))
            page.runs.append(run)
            if !run.state.isEnded { running.append((.string(id), entry)) }
        }
        page.stale[list] = stale + (try await self.stale(running))
    }

    /// Those that can't be under way, as their barriers say.
    private func stale(_ running: [Running]) async throws -> [Listed] {
        if running.isEmpty { return [] }
        let barriers = try await executor.execute(
            RedisCommand("MGET", list: running.map { $0.entry.isReleaseRecorded ? "\($0.entry.id)_ran" : $0.entry.id })
        ).array()
        let closed = RESPValue.string("-1")
        return zip(running, barriers).compactMap { run, barrier in
            let isStale = barrier.isNull || run.entry.isReleaseRecorded && barrier != closed
            return isStale ? (run.member, run.entry.id) : nil
        }
    }

    private static func list(_ query: RunQuery, _ state: RunState) -> String {
        "\(query.index).\(state.name)"
    }

    /// The list that has all runs that are asked for and few others, if a name or labels are.
    private static func rareList(_ query: RunQuery) -> String? {
        if let (key, value) = query.labels.min(by: { $0.key < $1.key }) {
            return "\(query.index).label.\(key)=\(value)"
        }
        return query.name.flatMap { $0.isEmpty ? nil : "\(query.index).name.\($0)" }
    }

    private static let maxListed = 5000
}

extension RESPValue {
    /// The members of a sorted set and their scores; in RESP2 an array in which they take turns.
    fileprivate func scored() throws(RedisError) -> [Pair] {
        let elements = try array()
        guard case .array? = elements.first else { return try pairs() }
        var pairs: [Pair] = []
        for element in elements {
            let pair = try element.array()
            guard pair.count == 2 else { throw RedisError(.unexpectedReply, "A score came as \(pair.count) parts") }
            pairs.append(Pair(key: pair[0], value: pair[1]))
        }
        return pairs
    }
}

extension RunState {
    /// What runs end with, the order of lists.
    fileprivate static let endings: [RunState] = [.succeeded, .failed, .cancelled]
}

extension RunSummary {
    /// A run as its hash has it; `nil` if that is none.
    init?(id: String, _ fields: [String: String]) {
        guard let state = fields["state"],
            let entry = RunEntry(id: id, fields)
        else { return nil }
        self = entry.summary(RunState(state), ended: fields["ended"].flatMap(Double.init))
    }
}

extension RunStatus.Failure {
    /// A failure as the script keeps it.
    init(messageID: String, json: String) {
        let parts = (try? JSONValue(parsing: json))?.arrayValue?.elements.map { $0.stringValue ?? "" } ?? []
        func part(_ index: Int) -> String { parts.indices.contains(index) ? parts[index] : "" }
        self.init(
            messageID: messageID, actorName: part(0), reason: part(1), attempt: Int(part(2)) ?? 0, queueName: part(3),
            deadLetterID: part(4).isEmpty ? nil : part(4), groups: Array(parts.dropFirst(5)))
    }
}
