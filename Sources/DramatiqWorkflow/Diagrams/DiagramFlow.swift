import Dramatiq

/// A drawing as boxes and arrows. What stands for several, or waits as a whole, is a frame around others.
struct DiagramFlow {
    private enum Part {
        case box(Int)
        /// Where several are waited for by several.
        case junction(Int)
        case frame(label: String, WorkflowDiagram.Node)
        case endOfFrame
    }

    private let nodes: [WorkflowDiagram.Node]
    private var labels: [Int: String] = [:]
    private var parts: [Part] = []
    private var arrows: [(from: Int, to: Int)] = []
    /// Junctions are numbered behind the nodes.
    private var numbers: Int

    init(_ diagram: WorkflowDiagram) {
        nodes = diagram.nodes
        numbers = nodes.count
        for index in nodes.indices {
            labels[index] = nodes[index].label(.unicode, isInChain: diagram.isInChain(index))
        }
        var index = 0
        if !nodes.isEmpty { _ = add(&index) }
    }

    /// Adds a node and what stands in it. How deep nodes are nested is bounded.
    ///
    /// - Returns: what it begins with, and what it ends with.
    private mutating func add(_ index: inout Int) -> (first: [Int], last: [Int]) {
        let own = index
        let node = nodes[own]
        index += 1
        guard node.isContainer, node.taskCount > 0 else {
            parts.append(.box(own))
            return ([own], [own])
        }
        let isFramed = node.count > 1 || node.delay != nil || node.resultName != nil
        if isFramed { parts.append(.frame(label: labels[own] ?? "", node)) }
        var (first, last): ([Int], [Int]) = ([], [])
        while index < nodes.count, nodes[index].depth > node.depth {
            let part = add(&index)
            if node.content == .chain {
                connect(last, part.first)
                if first.isEmpty { first = part.first }
                last = part.last
            } else {
                first += part.first
                last += part.last
            }
        }
        if isFramed { parts.append(.endOfFrame) }
        return (first, last)
    }

    private mutating func connect(_ earlier: [Int], _ later: [Int]) {
        guard earlier.count > 1, later.count > 1 else {
            for from in earlier { arrows += later.map { (from, $0) } }
            return
        }
        parts.append(.junction(numbers))
        arrows += earlier.map { ($0, numbers) } + later.map { (numbers, $0) }
        numbers += 1
    }

    // MARK: Mermaid

    var mermaid: String {
        var lines = ["flowchart LR"]
        var depth = 1
        func add(_ line: String) { lines.append(String(repeating: "    ", count: depth) + line) }
        for (number, part) in parts.enumerated() {
            switch part {
            case .box(let index):
                let node = nodes[index]
                let label = Self.mermaidLabel(labels[index] ?? "", node.state)
                let shape = node.count > 1 ? ("[[", "]]") : node.isMore ? ("([", "])") : ("[", "]")
                add("n\(index)\(shape.0)\(label)\(shape.1)" + (node.state.map { ":::\($0.phase.className)" } ?? ""))
            case .junction(let index):
                add("n\(index)(( ))")
            case .frame(let label, let node):
                add("subgraph f\(number)[\(Self.mermaidLabel(label, node.state))]")
                depth += 1
            case .endOfFrame:
                depth -= 1
                add("end")
            }
        }
        for arrow in arrows { add("n\(arrow.from) --> n\(arrow.to)") }
        if nodes.contains(where: { $0.state != nil }) {
            for phase in NodeState.Phase.allCases { add("classDef \(phase.className) fill:\(phase.colour),color:#000") }
        }
        return lines.joined(separator: "\n")
    }

    /// In quotes; what is no letter or digit is a character reference, so that no text can be anything else than text.
    private static func mermaidLabel(_ label: String, _ state: NodeState?) -> String {
        func escaped(_ text: String) -> String {
            var escaped = ""
            for scalar in text.unicodeScalars {
                let isPlain =
                    scalar.value > 0x7F || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    || " _-.,:".unicodeScalars.contains(scalar)
                escaped += isPlain ? String(scalar) : "#\(scalar.value);"
            }
            // Its scanner looks for the direction of a subgraph anywhere in a line, also between quotes.
            return escaped.replacing("direction", with: "directio#110;")
        }
        return "\"" + escaped(label) + (state.map { "<br/>" + escaped("\($0)") } ?? "") + "\""
    }

    // MARK: Graphviz

    var dot: String {
        var lines = ["digraph workflow {"]
        var depth = 1
        func add(_ line: String) { lines.append(String(repeating: "    ", count: depth) + line) }
        add("rankdir=LR")
        add("node [shape=box, style=filled, fillcolor=white]")
        for (number, part) in parts.enumerated() {
            switch part {
            case .box(let index):
                let node = nodes[index]
                var attributes = "label=\(Self.dotLabel(labels[index] ?? "", node.state))"
                if node.count > 1 { attributes += ", peripheries=2" }
                if node.isMore { attributes += ", shape=plain" }
                if let state = node.state { attributes += ", fillcolor=\"\(state.phase.colour)\"" }
                add("n\(index) [\(attributes)]")
            case .junction(let index):
                add("n\(index) [label=\"\", shape=circle, width=0.1]")
            case .frame(let label, let node):
                add("subgraph cluster_\(number) {")
                depth += 1
                add("label=\(Self.dotLabel(label, node.state))")
            case .endOfFrame:
                depth -= 1
                add("}")
            }
        }
        for arrow in arrows { add("n\(arrow.from) -> n\(arrow.to)") }
        lines.append("}")
        return lines.joined(separator: "\n")
    }

    private static func dotLabel(_ label: String, _ state: NodeState?) -> String {
        func escaped(_ text: String) -> String {
            var escaped = ""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"", "\\": escaped += "\\" + String(scalar)
                // Graphviz reads character references in labels.
                case "&": escaped += "&amp;"
                default: escaped.unicodeScalars.append(scalar)
                }
            }
            return escaped
        }
        return "\"" + escaped(label) + (state.map { "\\n" + escaped("\($0)") } ?? "") + "\""
    }
}

extension WorkflowDiagram.Node {
    fileprivate var isMore: Bool {
        if case .more = content { return true }
        return false
    }
}

extension NodeState.Phase {
    fileprivate var className: String {
        switch self {
        case .notBegun: "notBegun"
        case .underWay: "underWay"
        case .done: "done"
        case .failed: "failed"
        }
    }

    fileprivate var colour: String {
        switch self {
        case .notBegun: "#eeeeee"
        case .underWay: "#fff3b0"
        case .done: "#c8e6c9"
        case .failed: "#ffcdd2"
        }
    }
}
