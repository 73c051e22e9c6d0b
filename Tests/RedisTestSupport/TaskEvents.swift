public import DramatiqRedis
public import TestSupport

/// What the tasks of several workflows have noted in a list in Redis, from whatever process and language:
///
///     start <workflow> <task> <id in Redis> <milliseconds since 1970>
///     end <workflow> <task> <id in Redis> <milliseconds since 1970>
public struct TaskEvents: Sendable {
    /// By workflow and task.
    public private(set) var lives: [Int: [Int: TaskLife]] = [:]
    /// Under which ids each task was enqueued: one for each attempt, if nothing is enqueued twice.
    public private(set) var ids: [Int: [Int: Set<String>]] = [:]
    /// How many attempts ran more than once.
    public private(set) var repetitions = 0

    public static func key(namespace: String) -> String { "\(namespace):events" }

    public init(_ executor: any RedisExecutor, namespace: String) async throws {
        let lines = try await executor.execute(
            RedisCommand("LRANGE", Self.key(namespace: namespace), 0, -1)
        ).array()
        for (order, line) in lines.enumerated() {
            let parts = try line.string().split(separator: " ")
            guard parts.count == 5, let workflow = Int(parts[1]), let task = Int(parts[2]), let time = Int(parts[4])
            else { throw RedisError(.unexpectedReply, "No event: \(line)") }
            var life = lives[workflow, default: [:]][task, default: TaskLife()]
            if parts[0] == "start" {
                life.start(order: order, time: time)
                let isNew = ids[workflow, default: [:]][task, default: []].insert(String(parts[3])).inserted
                if !isNew { repetitions += 1 }
            } else {
                life.end(order: order, time: time)
            }
            lives[workflow, default: [:]][task] = life
        }
    }

    /// What is wrong with a workflow; empty if nothing is.
    ///
    /// - Parameters:
    ///   - exactlyOnce: whether no attempt may have run twice.
    ///   - enqueuedOnce: whether none may have been enqueued twice.
    ///   - isStopped: whether tasks may be missing.
    public func violations(
        _ tree: RandomTree,
        workflow: Int,
        exactlyOnce: Bool,
        enqueuedOnce: Bool = true,
        isStopped: Bool = false
    ) -> [String] {
        var violations = tree.violations(lives[workflow] ?? [:], exactlyOnce: exactlyOnce, isStopped: isStopped)
        for (task, ids) in ids[workflow] ?? [:] where enqueuedOnce && ids.count != (tree.failures[task] ?? 0) + 1 {
            violations.append("task \(task) was enqueued \(ids.count) times")
        }
        return violations.map { "workflow \(workflow): \($0)" }
    }

    /// Whether all tasks of a workflow have succeeded.
    public func isComplete(_ tree: RandomTree, workflow: Int) -> Bool {
        tree.predecessors.keys.allSatisfy { (lives[workflow]?[$0]?.ends ?? 0) > 0 }
    }
}
