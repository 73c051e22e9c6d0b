import Dramatiq

/// What a definition looks like: parts that are alike are there once, with their number. A message is its actor and what it
/// has to do with results.
struct WorkflowShapes {
    private struct Shape: Hashable {
        enum Kind: Hashable {
            case task(TextKey)
            case chain
            case group
        }

        var kind: Kind
        var resultName: TextKey?
        var takes: [WorkflowResult] = []
        /// Milliseconds.
        var delay = 0
        var runs: [Run] = []

        /// Whether it is no more than what stands in it.
        var isPlain: Bool { resultName == nil && delay == 0 }
    }

    /// Alike parts, by their shape.
    private struct Run: Hashable {
        var shape: Int
        var count: Int
    }

    private var shapes: [Shape] = []
    private var taskCounts: [Int] = []
    private var places: [Shape: Int] = [:]
    private var root = 0

    /// Takes one pass over the definition, with a stack of its own: it can be nested deeper than the thread's allows.
    init(of node: WorkflowNode) {
        var open: [OpenPart] = []
        var next: WorkflowNode? = node
        while true {
            var finished: Int?
            if let node = next {
                next = nil
                switch node.content {
                case .message(let message):
                    finished = place(of: message, in: &open)
                case .chain(let children):
                    open.append(OpenPart(kind: .chain, resultName: node.resultName, rest: children[...]))
                case .group(let children):
                    open.append(OpenPart(kind: .group, resultName: node.resultName, rest: children[...]))
                case .withDelay(let child, let delay):
                    open.append(OpenPart(kind: .delay(delay.milliseconds), resultName: node.resultName, rest: [child]))
                }
            }
            while next == nil {
                guard var part = open.popLast() else {
                    root = finished ?? 0
                    return
                }
                if let shape = finished { add(shape, to: &part) }
                finished = nil
                if let child = part.rest.popFirst() {
                    next = child
                    open.append(part)
                } else {
                    finished = finish(part)
                }
            }
        }
    }

    /// A part whose children are being gone through.
    private struct OpenPart {
        enum Kind {
            case chain, group
            case delay(Int)
        }

        let kind: Kind
        let resultName: String?
        var rest: ArraySlice<WorkflowNode>
        var runs: [Run] = []
        /// Where the shapes of a group's members are among them.
        var places: [Int: Int] = [:]
        /// The latest plain message, since the next is often alike.
        var latest: (actorName: String, shape: Int)?
    }

    private mutating func place(of message: Message, in open: inout [OpenPart]) -> Int {
        let name = message.taskActorName
        let usesResults = message.usesResults
        if !usesResults, let latest = open.last?.latest, latest.actorName.hasSameBytes(as: name) { return latest.shape }
        var shape = Shape(kind: .task(TextKey(name)))
        if usesResults {
            shape.resultName = message.resultName.map { TextKey($0) }
            // What is wrong with them is said when the workflow is run.
            shape.takes = (try? message.takenResults()) ?? []
        }
        let place = place(of: shape)
        if !usesResults, !open.isEmpty { open[open.count - 1].latest = (name, place) }
        return place
    }

    private mutating func place(of shape: Shape) -> Int {
        if let place = places[shape] { return place }
        var tasks = 0
        if case .task = shape.kind { tasks = 1 }
        for run in shape.runs { tasks = saturatingSum(tasks, saturatingProduct(taskCounts[run.shape], run.count)) }
        places[shape] = shapes.count
        shapes.append(shape)
        taskCounts.append(tasks)
        return shapes.count - 1
    }

    private func add(_ shape: Int, to part: inout OpenPart) {
        if isNothing(shape) { return }
        switch part.kind {
        case .group:
            if let last = part.runs.last, last.shape == shape {
                part.runs[part.runs.count - 1].count += 1
            } else if let place = part.places[shape] {
                part.runs[place].count += 1
            } else {
                part.places[shape] = part.runs.count
                part.runs.append(Run(shape: shape, count: 1))
            }
        case .chain:
            if let last = part.runs.last, last.shape == shape {
                part.runs[part.runs.count - 1].count += 1
            } else {
                part.runs.append(Run(shape: shape, count: 1))
            }
        case .delay:
            part.runs.append(Run(shape: shape, count: 1))
        }
    }

    /// Whether it is an empty part, for which nothing happens.
    private func isNothing(_ place: Int) -> Bool {
        taskCounts[place] == 0 && shapes[place].runs.isEmpty && shapes[place].isPlain
    }

    private mutating func finish(_ part: OpenPart) -> Int {
        let name = part.resultName.map { TextKey($0) }
        let only = part.runs.count == 1 && part.runs[0].count == 1 ? part.runs[0].shape : nil
        if case .delay(let milliseconds) = part.kind {
            var shape = only.map { shapes[$0] } ?? Shape(kind: .chain)
            shape.delay = max(0, saturatingSum(shape.delay, milliseconds))
            shape.resultName = name ?? shape.resultName
            return place(of: shape)
        }
        if let only, name == nil { return only }
        var shape = Shape(kind: .chain, resultName: name, runs: part.runs)
        if case .group = part.kind { shape.kind = .group }
        return place(of: shape)
    }

    // MARK: Drawing

    private struct Item {
        let run: Run
        let depth: Int
        var children: Range<Int> = 0..<0
        /// How many parts are left out, and how many tasks those are.
        var hidden = (parts: 0, tasks: 0)
    }

    /// As many nodes as may be drawn, the outer ones first, and what stands for the others.
    func nodes(limit: Int) -> [WorkflowDiagram.Node] {
        if isNothing(root) { return [] }
        var items = [Item(run: Run(shape: root, count: 1), depth: 0)]
        var index = 0
        while index < items.count {
            let shape = shapes[items[index].run.shape]
            let depth = items[index].depth + 1
            // No part takes all the room for itself.
            let left = limit - items.count
            let room = depth > WorkflowDiagram.maxDepth ? 0 : min(left, max(8, left / 2))
            let shown = min(shape.runs.count, max(0, room))
            items[index].children = items.count..<(items.count + shown)
            for run in shape.runs[shown...] {
                items[index].hidden.parts = saturatingSum(items[index].hidden.parts, run.count)
                items[index].hidden.tasks = saturatingSum(
                    items[index].hidden.tasks, saturatingProduct(taskCounts[run.shape], run.count))
            }
            items += shape.runs[..<shown].map { Item(run: $0, depth: depth) }
            index += 1
        }
        return nodes(of: items)
    }

    private func nodes(of items: [Item]) -> [WorkflowDiagram.Node] {
        enum Step {
            case item(Int)
            case rest(of: Int)
        }
        var nodes: [WorkflowDiagram.Node] = []
        var steps = [Step.item(0)]
        while let step = steps.popLast() {
            switch step {
            case .rest(let place):
                let item = items[place]
                nodes.append(.more(parts: item.hidden.parts, taskCount: item.hidden.tasks, depth: item.depth + 1))
            case .item(let place):
                let item = items[place]
                nodes.append(node(item.run, depth: item.depth))
                if item.hidden.parts > 0 { steps.append(.rest(of: place)) }
                steps += item.children.reversed().map { .item($0) }
            }
        }
        return nodes
    }

    private func node(_ run: Run, depth: Int) -> WorkflowDiagram.Node {
        let shape = shapes[run.shape]
        let content: WorkflowDiagram.Node.Content =
            switch shape.kind {
            case .task(let name): .task(actorName: name.text)
            case .chain: .chain
            case .group: .group
            }
        return WorkflowDiagram.Node(
            content: content, depth: depth, count: run.count,
            taskCount: saturatingProduct(taskCounts[run.shape], run.count),
            delay: shape.delay > 0 ? .milliseconds(shape.delay) : nil,
            resultName: shape.resultName?.text, takes: shape.takes)
    }
}

extension WorkflowDiagram.Node {
    static func more(parts: Int, taskCount: Int, depth: Int) -> WorkflowDiagram.Node {
        WorkflowDiagram.Node(
            content: .more(parts: parts), depth: depth, count: 1, taskCount: taskCount, delay: nil, resultName: nil,
            takes: [])
    }
}

func saturatingSum(_ left: Int, _ right: Int) -> Int {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? (left > 0 ? .max : .min) : sum
}

func saturatingProduct(_ left: Int, _ right: Int) -> Int {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? .max : product
}
