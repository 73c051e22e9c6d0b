public import Dramatiq
public import DramatiqWorkflow

/// A random workflow, with what must be true of its tasks.
public struct RandomTree: Sendable {
    public private(set) var root: WorkflowNode
    /// For each task: those that must have ended before it starts.
    public private(set) var predecessors: [Int: Set<Int>] = [:]
    /// For each task: how long after them it may start, in milliseconds.
    public private(set) var delays: [Int: Int] = [:]
    /// For each task: how often it fails before it succeeds.
    public private(set) var failures: [Int: Int] = [:]

    /// - Parameters:
    ///   - maxDepth: how deep chains, groups and delays are nested at most.
    ///   - failing: how many in ten tasks fail before they succeed.
    ///   - adding: how many in ten tasks add others when they run, which ``AddedTasks`` does.
    ///   - hasPolicies: whether some groups need a minimum of successes, which they have since nothing fails for good.
    ///   - message: makes the message for a task, given its number from 1 and how often it fails.
    public init(
        seed: UInt64,
        maxDepth: Int = 5,
        failing: Int = 2,
        adding: Int = 0,
        hasPolicies: Bool = false,
        message: @escaping (_ id: Int, _ failures: Int) -> Message
    ) {
        var maker = Maker(
            message: message, failing: failing, adding: adding, hasPolicies: hasPolicies,
            generator: SeededGenerator(seed: seed))
        let depth = Int.random(in: 1...maxDepth, using: &maker.generator)
        maker.tree.root = maker.node(depth: depth, after: [], delay: 0).node
        self = maker.tree
    }

    private init() {
        root = .chain([])
    }

    private struct Maker {
        let message: (Int, Int) -> Message
        let failing: Int
        let adding: Int
        let hasPolicies: Bool
        var generator: SeededGenerator
        var tree = RandomTree()

        /// A random node, and the tasks whose end is its end. A part without tasks ends when what it waits for has.
        mutating func node(depth: Int, after: Set<Int>, delay: Int) -> (node: WorkflowNode, ends: Set<Int>) {
            switch depth == 0 ? 0 : Int.random(in: 0..<10, using: &generator) {
            case 0...2:
                let id = tree.predecessors.count + 1
                tree.predecessors[id] = after
                tree.delays[id] = delay
                let failures =
                    Int.random(in: 0..<10, using: &generator) < failing
                    ? Int.random(in: 1...3, using: &generator) : 0
                tree.failures[id] = failures
                var message = message(id, failures)
                var ends: Set = [id]
                if depth > 0, adding > 0, Int.random(in: 0..<10, using: &generator) < adding,
                    AddedTasks.isPossible(message)
                {
                    let children = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                        node(depth: depth - 1, after: [id], delay: 0)
                    }
                    for child in children { ends.formUnion(child.ends) }
                    AddedTasks.note(children.map(\.node), &message)
                }
                return (.message(message), ends)
            case 3...5:
                var ends = after
                var children: [WorkflowNode] = []
                for index in 0..<Int.random(in: 0...4, using: &generator) {
                    let child = node(depth: depth - 1, after: ends, delay: index == 0 ? delay : 0)
                    children.append(child.node)
                    ends = child.ends
                }
                return (.chain(children), ends)
            case 6...8:
                var ends: Set<Int> = []
                var children: [WorkflowNode] = []
                for _ in 0..<Int.random(in: 0...5, using: &generator) {
                    let child = node(depth: depth - 1, after: after, delay: delay)
                    children.append(child.node)
                    ends.formUnion(child.ends)
                }
                var group = Group(children: children)
                if hasPolicies, Bool.random(using: &generator) {
                    group.failurePolicy = .collect(minimum: Int.random(in: 0...children.count, using: &generator))
                }
                return (group.node, children.isEmpty ? after : ends)
            default:
                let more = Int.random(in: 0...30, using: &generator)
                let child = node(depth: depth - 1, after: after, delay: delay + more)
                return (.withDelay(child.node, .milliseconds(more)), child.ends)
            }
        }
    }
}

/// What happened to a task: when it started first and when it ended first, in order and by the clock.
public struct TaskLife: Sendable {
    public private(set) var starts = 0
    public private(set) var ends = 0
    public private(set) var firstStart = (order: Int.max, time: 0)
    public private(set) var firstEnd: (order: Int, time: Int)?

    public init() {}

    /// Notes a start.
    ///
    /// - Parameters:
    ///   - order: its place among all starts and ends.
    ///   - time: in milliseconds since 1970.
    public mutating func start(order: Int, time: Int) {
        starts += 1
        if starts == 1 { firstStart = (order, time) }
    }

    /// Notes a success.
    public mutating func end(order: Int, time: Int) {
        ends += 1
        if ends == 1 { firstEnd = (order, time) }
    }
}

extension RandomTree {
    /// What is wrong with the lives of the tree's tasks; empty if nothing is.
    ///
    /// - Parameters:
    ///   - exactlyOnce: whether no task may have run more often than it failed and succeeded once.
    ///   - isStopped: whether tasks may be missing.
    public func violations(_ lives: [Int: TaskLife], exactlyOnce: Bool, isStopped: Bool = false) -> [String] {
        var violations: [String] = []
        for id in Set(predecessors.keys).subtracting(lives.keys) where !isStopped {
            violations.append("task \(id) never ran")
        }
        for (id, life) in lives {
            if life.ends < 1, !isStopped { violations.append("task \(id) never ended") }
            if exactlyOnce, life.ends != 1 || life.starts != (failures[id] ?? 0) + 1 {
                violations.append("task \(id) started \(life.starts) times and ended \(life.ends) times")
            }
            for predecessor in predecessors[id] ?? [] {
                guard let end = lives[predecessor]?.firstEnd else {
                    violations.append("task \(predecessor) before \(id) didn't end")
                    continue
                }
                if end.order >= life.firstStart.order {
                    violations.append("task \(id) started before \(predecessor) ended")
                }
                if life.firstStart.time < end.time + (delays[id] ?? 0) {
                    violations.append("task \(id) started too soon after \(predecessor)")
                }
            }
        }
        return violations
    }
}
