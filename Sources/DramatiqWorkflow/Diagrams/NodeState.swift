public import Dramatiq

/// How far a node of a run's drawing is.
///
/// It is worked out from what is counted of the run, by the names of actors. So where an actor stands at several nodes that
/// run side by side, and where tasks are added while the run is under way, nobody knows which of them was which: they have
/// the numbers of all of them together, and ``isShared`` says so. What Python's workers did shows where something of ours
/// comes after it.
public struct NodeState: Sendable, Hashable {
    /// How far. There will be no other.
    public enum Phase: Sendable, Hashable, CaseIterable {
        case notBegun
        case underWay
        case done
        /// Something in it has failed for good, and was not requeued with success.
        case failed
    }

    public internal(set) var phase: Phase
    /// Its tasks. Of a part that was not drawn whole, those that were drawn.
    public internal(set) var tasks: RunTaskCounts
    /// Whether the numbers are those of several nodes together.
    public internal(set) var isShared: Bool
}

extension NodeState: CustomStringConvertible {
    /// For a person to read.
    public var description: String {
        let all = isShared ? " (of all for this actor)" : ""
        var parts: [String] = []
        if tasks.failed > 0 { parts.append("\(tasks.failed) failed") }
        switch phase {
        case .notBegun: return "not begun"
        case .done where tasks.skipped == 0 && tasks.failed == 0: return "done"
        default: parts.append("\(tasks.succeeded) of \(tasks.total) done")
        }
        if phase != .done {
            if tasks.inFlight > 0 { parts.append("\(tasks.inFlight) in flight") }
            if tasks.held > 0 { parts.append("\(tasks.held) held") }
        }
        if tasks.skipped > 0 { parts.append("\(tasks.skipped) skipped") }
        return parts.joined(separator: ", ") + all
    }
}

extension RunStatus {
    /// The drawing of the run's definition with how far each part is; `nil` if it isn't known what it looks like.
    ///
    /// It is known while the run is under way or has failed, and of small workflows for as long as the run is kept; not if a
    /// worker of before has begun it. Large workflows are drawn with 64 nodes at most.
    public var diagram: WorkflowDiagram? {
        guard var diagram = WorkflowDiagram(outline: outline) ?? ofOneTask else { return nil }
        diagram.setStates(of: self)
        return diagram
    }

    /// The drawing of a workflow of a single task, which is all that can have one.
    private var ofOneTask: WorkflowDiagram? {
        guard run.taskCount == 1, outline.isEmpty, let actor = tasks.first, tasks.count == 1, !actor.key.isEmpty else {
            return nil
        }
        return WorkflowDiagram(nodes: [
            WorkflowDiagram.Node(
                content: .task(actorName: actor.key), depth: 0, count: 1, taskCount: 1, delay: nil, resultName: nil,
                takes: [])
        ])
    }
}

extension WorkflowDiagram {
    /// Nodes of one actor of which nobody knows which did what.
    private struct Shared {
        let places: [Int]
        let counts: RunTaskCounts
        /// Whether there are no others of the actor.
        let isComplete: Bool
    }

    mutating func setStates(of status: RunStatus) {
        var places: [TextKey: [Int]] = [:]
        for (index, node) in nodes.enumerated() {
            if case .task(let name) = node.content { places[TextKey(name), default: []].append(index) }
        }
        let counts = Dictionary(status.tasks.map { (TextKey($0.key), $0.value) }, uniquingKeysWith: +)
        var shared: [Shared] = []
        for (name, places) in places {
            // Those beyond a number are counted under no name.
            guard let counts = counts[name] else { continue }
            let totals = places.map { taskCount(of: $0) }
            let isComplete = totals.reduce(0, saturatingSum) == counts.total
            let parts = isComplete ? Self.divided(counts, totals, areOrdered: areOrdered(places)) : nil
            if parts == nil { shared.append(Shared(places: places, counts: counts, isComplete: isComplete)) }
            for (number, place) in places.enumerated() {
                nodes[place].state = NodeState(parts?[number] ?? counts, isShared: parts == nil)
            }
        }
        gather(shared)
        noteWhatIsBehind(hasSucceeded: status.run.state == .succeeded)
        gather(shared)
    }

    /// How many tasks a node stands for in the run, with how many there are of what it stands in.
    private func taskCount(of index: Int) -> Int {
        var count = nodes[index].taskCount
        for outer in around(index) { count = saturatingProduct(count, nodes[outer].count) }
        return count
    }

    /// The parts that a node stands in, the nearest first.
    private func around(_ index: Int) -> [Int] {
        var parts: [Int] = []
        var depth = nodes[index].depth
        for outer in nodes[..<index].indices.reversed() where nodes[outer].depth < depth {
            depth = nodes[outer].depth
            parts.append(outer)
        }
        return parts
    }

    /// Whether each of some nodes begins only when the one before is done.
    private func areOrdered(_ places: [Int]) -> Bool {
        for (earlier, later) in zip(places, places.dropFirst()) {
            let outer = around(later)
            let common = around(earlier).first { outer.contains($0) }
            guard let common, nodes[common].content == .chain else { return false }
            // Copies of what they both stand in are not in step.
            if nodes[common].count > 1 || around(common).contains(where: { nodes[$0].count > 1 }) { return false }
        }
        return true
    }

    /// The counts of an actor among its nodes, each of which begins when the one before is done; `nil` if it can't be known.
    private static func divided(_ counts: RunTaskCounts, _ totals: [Int], areOrdered: Bool) -> [RunTaskCounts]? {
        if totals.count == 1 { return [counts] }
        guard areOrdered else { return nil }
        var left = counts
        var parts: [RunTaskCounts] = []
        for total in totals {
            var part = RunTaskCounts(total: total)
            part.sent = min(total, left.sent)
            left.sent -= part.sent
            if left.sent > 0 {
                // A later one has begun, so all of these are done.
                guard left.succeeded >= total else { return nil }
                part.succeeded = total
                left.succeeded -= total
            } else {
                // The last one that has begun, or the first that has not, with nothing left.
                (part.succeeded, part.failed) = (left.succeeded, left.failed)
                (part.skipped, part.held) = (left.skipped, left.held)
                (left.succeeded, left.failed, left.skipped, left.held) = (0, 0, 0, 0)
            }
            parts.append(part)
        }
        return parts
    }

    /// Gives each part the state of what stands in it.
    private mutating func gather(_ shared: [Shared]) {
        for index in nodes.indices where nodes[index].isContainer {
            nodes[index].state = state(ofPart: index, shared)
        }
    }

    private func state(ofPart index: Int, _ shared: [Shared]) -> NodeState? {
        let end = nodes[(index + 1)...].firstIndex { $0.depth <= nodes[index].depth } ?? nodes.endIndex
        let inner = nodes[(index + 1)..<end]
        let states = inner.filter { !$0.isContainer }.compactMap(\.state)
        if states.isEmpty { return nil }
        let isWhole = states.count == inner.count { !$0.isContainer }
        if isWhole, states.allSatisfy({ $0.phase == .done }) {
            let total = taskCount(of: index)
            return NodeState(RunTaskCounts(total: total, sent: total, succeeded: total), isShared: false)
        }
        var counts = states.filter { !$0.isShared }.map(\.tasks).reduce(RunTaskCounts(), +)
        for part in shared where part.places.contains(where: { inner.indices.contains($0) }) {
            guard part.isComplete, part.places.allSatisfy({ inner.indices.contains($0) }) else { return nil }
            counts = counts + part.counts
        }
        var state = NodeState(counts, isShared: false)
        if state.phase != .failed {
            state.phase = states.allSatisfy { $0.phase == .notBegun } ? .notBegun : .underWay
        }
        return state
    }

    /// What comes before something that has begun is done, whoever did it.
    private mutating func noteWhatIsBehind(hasSucceeded: Bool) {
        var isDone = [Bool](repeating: hasSucceeded, count: nodes.count)
        for index in nodes.indices.reversed() where nodes[index].content == .chain && !hasSucceeded {
            if nodes[index].count > 1 || around(index).contains(where: { nodes[$0].count > 1 }) { continue }
            var steps: [Int] = []
            for place in nodes.indices[(index + 1)...] {
                if nodes[place].depth <= nodes[index].depth { break }
                if nodes[place].depth == nodes[index].depth + 1 { steps.append(place) }
            }
            let latest = steps.last { step in
                nodes[step].state.map { !$0.isShared && $0.phase != .notBegun } ?? false
            }
            guard let latest else { continue }
            for place in (index + 1)..<latest { isDone[place] = true }
        }
        for index in nodes.indices where isDone[index] {
            if case .more = nodes[index].content { continue }
            if nodes[index].isContainer { continue }
            var state = nodes[index].state ?? NodeState(RunTaskCounts(total: taskCount(of: index)), isShared: false)
            if state.phase == .failed, !hasSucceeded { continue }
            state.phase = .done
            if !state.isShared {
                state.tasks.total = taskCount(of: index)
                state.tasks.sent = state.tasks.total
                state.tasks.succeeded = max(0, state.tasks.total - state.tasks.failed - state.tasks.skipped)
            }
            nodes[index].state = state
        }
    }
}

extension NodeState {
    init(_ tasks: RunTaskCounts, isShared: Bool) {
        self.tasks = tasks
        self.isShared = isShared
        if tasks.failed > 0 {
            phase = .failed
        } else if tasks.succeeded + tasks.skipped >= tasks.total, tasks.total > 0 {
            phase = .done
        } else if tasks.sent + tasks.succeeded + tasks.skipped + tasks.held == 0 {
            phase = .notBegun
        } else {
            phase = .underWay
        }
    }
}
