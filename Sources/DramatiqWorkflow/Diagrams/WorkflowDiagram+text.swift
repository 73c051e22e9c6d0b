import Dramatiq

extension WorkflowDiagram {
    struct Glyphs {
        let branch: String
        let lastBranch: String
        let line: String
        let gap = "   "
        let times: String
        let more: String
        let takes: String

        static let unicode = Glyphs(branch: "├─ ", lastBranch: "└─ ", line: "│  ", times: "×", more: "…", takes: "←")
        static let ascii = Glyphs(branch: "|- ", lastBranch: "`- ", line: "|  ", times: "x", more: "...", takes: "<-")
    }

    /// The widest text that others are put in line with, in characters.
    private static let maxAligned = 60

    /// A line for each node, and how far it is beside it.
    func lines(_ glyphs: Glyphs) -> [String] {
        if nodes.isEmpty { return ["nothing"] }
        let isLast = lastOnes
        // Whether more is to come at each level above.
        var continues: [Bool] = []
        var lines: [(text: String, state: String)] = []
        for (index, node) in nodes.enumerated() {
            continues.removeSubrange(min(max(0, node.depth - 1), continues.count)...)
            var text = continues.map { $0 ? glyphs.line : glyphs.gap }.joined()
            if node.depth > 0 {
                text += isLast[index] ? glyphs.lastBranch : glyphs.branch
                continues.append(!isLast[index])
            }
            text += node.label(glyphs, isInChain: isInChain(index))
            lines.append((text, node.state.map { "\($0)" } ?? ""))
        }
        let width = lines.filter { !$0.state.isEmpty }.reduce(0) { max($0, min(Self.maxAligned, $1.text.count)) }
        return lines.map { text, state in
            if state.isEmpty { return text }
            return text + String(repeating: " ", count: max(0, width - text.count)) + "  " + state
        }
    }

    /// Which nodes are the last ones of the part that they stand in.
    private var lastOnes: [Bool] {
        var isLast = [Bool](repeating: false, count: nodes.count)
        // Whether one was seen at each level, from the end on.
        var seen = [Bool](repeating: false, count: Self.maxDepth + 3)
        for (index, node) in nodes.enumerated().reversed() {
            isLast[index] = !seen[node.depth]
            seen[node.depth] = true
            for depth in (node.depth + 1)..<seen.count where seen[depth] { seen[depth] = false }
        }
        return isLast
    }

    /// Whether a node is a step of a chain.
    func isInChain(_ index: Int) -> Bool {
        let depth = nodes[index].depth
        let parent = nodes[..<index].last { $0.depth < depth }
        return parent?.content == .chain
    }
}

extension WorkflowDiagram.Node {
    /// The longest name that is drawn whole, in bytes.
    private static let maxNameLength = 100

    /// What it is, in one line.
    func label(_ glyphs: WorkflowDiagram.Glyphs, isInChain: Bool) -> String {
        func shown(_ name: String) -> String { PrintableText.escape(name, limit: Self.maxNameLength) }
        var label: String
        switch content {
        case .task(let actorName): label = actorName.isEmpty ? "\"\"" : shown(actorName)
        case .chain: label = taskCount == 0 ? "nothing" : "chain"
        case .group: label = taskCount == 0 ? "nothing" : "group"
        case .more(let parts):
            let tasks = taskCount == 1 ? "1 task" : "\(taskCount) tasks"
            return "\(glyphs.more) and \(parts) more" + (parts == taskCount ? "" : ", \(tasks)")
        }
        if count > 1 { label += isInChain ? ", \(count) times" : " \(glyphs.times) \(count)" }
        if let delay { label += ", after \(Self.text(delay))" }
        if let resultName { label += ", named \"\(shown(resultName))\"" }
        if !takes.isEmpty {
            let names = takes.prefix(8).map { $0.name.map { "\"\(shown($0))\"" } ?? "the result before" }
            label += " \(glyphs.takes) " + names.joined(separator: ", ")
            if takes.count > names.count { label += ", \(glyphs.more)" }
        }
        return label
    }

    private static func text(_ delay: Duration) -> String {
        let milliseconds = delay.milliseconds
        return milliseconds.isMultiple(of: 1000) ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }
}
