import Dramatiq

/// The short form in which a drawing is kept with a run: a JSON array with an array for each node,
///
///     [depth, what, count, delay in ms, name, [result that it takes, …]]
///
/// without what is as usual at its end. What it is: the name of an actor, or 0 for a chain, 1 for a group, and 2 for what is
/// left out: `[depth, 2, parts, tasks]`. Of the results that a node takes, the one before is `null`.
extension WorkflowDiagram {
    /// The numbers of nodes with which it is tried.
    private static let sizes = [64, 16, 4, 1]

    /// The outline of a definition, as fine as fits; empty for a workflow of no or one task, and if nothing fits.
    static func outline(of root: WorkflowNode, maxSize: Int = RunLimits.maxOutlineSize) -> String {
        if case .message = root.content { return "" }
        let shapes = WorkflowShapes(of: root)
        for size in sizes {
            let nodes = shapes.nodes(limit: size)
            if nodes.count < 2, nodes.first.map({ $0.taskCount < 2 }) ?? true { return "" }
            let text = outline(of: nodes)
            if text.utf8.count <= maxSize { return text }
        }
        return ""
    }

    static func outline(of nodes: [Node]) -> String {
        var writer = JSONWriter(capacity: 256, escapesNonASCII: false)
        for (index, node) in nodes.enumerated() {
            writer.append(UInt8(ascii: index == 0 ? "[" : ","))
            node.writeOutline(into: &writer)
        }
        writer.append(UInt8(ascii: "]"))
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Reads an outline, which may be anything; `nil` if it is none.
    init?(outline text: String) {
        guard !text.isEmpty, text.utf8.count <= RunLimits.maxOutlineSize,
            let entries = (try? JSONValue(parsing: text))?.arrayValue?.elements
        else { return nil }
        var nodes: [Node] = []
        for entry in entries {
            guard let node = Node(outline: entry), node.depth <= Self.maxDepth + 1 else { return nil }
            if let last = nodes.last {
                // It stands in a part that was begun, and there is one root.
                guard node.depth >= 1, node.depth <= (last.isContainer ? last.depth + 1 : last.depth) else {
                    return nil
                }
            } else if node.depth != 0 {
                return nil
            }
            nodes.append(node)
        }
        if nodes.isEmpty { return nil }
        self.init(nodes: Self.counted(nodes))
    }

    /// The nodes with the numbers of tasks in them, which outlines only have for what is left out.
    private static func counted(_ nodes: [Node]) -> [Node] {
        var counted = nodes
        // The sums of what stands at each level behind a node.
        var sums = [Int](repeating: 0, count: maxDepth + 3)
        for index in nodes.indices.reversed() {
            let node = nodes[index]
            var own = node.taskCount
            if node.isContainer {
                own = saturatingProduct(sums[node.depth + 1], node.count)
                sums[node.depth + 1] = 0
            }
            counted[index] = node.counting(own)
            sums[node.depth] = saturatingSum(sums[node.depth], own)
        }
        return counted
    }
}

extension WorkflowDiagram.Node {
    fileprivate func writeOutline(into writer: inout JSONWriter) {
        func separate() { writer.append(UInt8(ascii: ",")) }
        writer.append(UInt8(ascii: "["))
        writer.write(depth)
        separate()
        switch content {
        case .more(let parts):
            writer.append("2,")
            writer.write(parts)
            separate()
            writer.write(taskCount)
        case .chain: writer.append(UInt8(ascii: "0"))
        case .group: writer.append(UInt8(ascii: "1"))
        case .task(let actorName): writer.write(.string(actorName))
        }
        let isNamed = resultName != nil || !takes.isEmpty
        if count > 1 || delay != nil || isNamed {
            separate()
            writer.write(count)
        }
        if delay != nil || isNamed {
            separate()
            writer.write(delay?.milliseconds ?? 0)
        }
        if isNamed {
            separate()
            writer.write(resultName.map { .string($0) } ?? .null)
        }
        if !takes.isEmpty {
            separate()
            writer.write(.array(JSONArray(takes.map { $0.name.map { .string($0) } ?? .null })))
        }
        writer.append(UInt8(ascii: "]"))
    }

    fileprivate init?(outline value: JSONValue) {
        guard let parts = value.arrayValue?.elements, 2...6 ~= parts.count, let depth = parts[0].intValue, depth >= 0
        else { return nil }
        func number(_ index: Int, usually usual: Int, atLeast least: Int) -> Int? {
            guard parts.count > index else { return usual }
            return parts[index].intValue.flatMap { $0 >= least ? $0 : nil }
        }
        guard let count = number(2, usually: 1, atLeast: 1), let delay = number(3, usually: 0, atLeast: 0) else {
            return nil
        }
        if parts[1].intValue == 2 {
            self = .more(parts: count, taskCount: delay, depth: depth)
            return
        }
        let content: Content
        switch (parts[1].stringValue, parts[1].intValue) {
        case (let actorName?, _): content = .task(actorName: actorName)
        case (_, 0): content = .chain
        case (_, 1): content = .group
        default: return nil
        }
        var takes: [WorkflowResult] = []
        if parts.count > 5 {
            for result in parts[5].arrayValue?.elements ?? [] { takes.append(WorkflowResult(name: result.stringValue)) }
        }
        var taskCount = 0
        if case .task = content { taskCount = count }
        self.init(
            content: content, depth: depth, count: count, taskCount: taskCount,
            delay: delay > 0 ? .milliseconds(delay) : nil,
            resultName: parts.count > 4 ? parts[4].stringValue : nil, takes: takes)
    }

    fileprivate func counting(_ tasks: Int) -> WorkflowDiagram.Node {
        WorkflowDiagram.Node(
            content: content, depth: depth, count: count, taskCount: tasks, delay: delay, resultName: resultName,
            takes: takes)
    }
}
